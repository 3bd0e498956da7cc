"""The real stack, started, interrupted and broken."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from canopy.home import is_known
from canopy.stack.supervisor import RESTARTS, Supervisor
from tests.attacks.test_rights import open_to_others
from tests.source.conftest import BrokenService, Reply, broken_service

__all__ = ["broken_service"]

pytestmark = pytest.mark.long

STARTING = "starting source"
WELL = "scheduler is well"
END_OF_DATA = '{"detail": "Ya se recolectó toda la información mínima necesaria"}'.encode()


@contextmanager
def demo(
    environment: dict[str, str], said: Path, until: str, name: str = "demo"
) -> Iterator[subprocess.Popen[bytes]]:
    """`canopy demo` in a process of its own that lets everybody read, once it has said this."""
    # What runs the tests may have a lost terminal ignored, as `nohup` has.
    command = ["env", "--default-signal=HUP", sys.executable, "-m", "canopy", name]
    with said.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream, umask=0)
    try:
        deadline = time.monotonic() + 200
        while until not in said.read_text():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.3)
        yield process
    finally:
        process.kill()
        process.wait(timeout=30)
        Supervisor(Path(environment["CANOPY_HOME"])).stop()


def test_ctrl_c_leaves_no_process_behind(environment: dict[str, str], tmp_path: Path) -> None:
    """Also while the parts are still starting theirs."""
    with demo(environment, tmp_path / "said", until=STARTING) as process:
        while len(_stack(environment)) < 10:
            assert process.poll() is None
            time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert _stack(environment) == []


@pytest.mark.parametrize("name", ["demo", "up"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_no_other_end_leaves_a_process_behind(
    environment: dict[str, str], tmp_path: Path, name: str, number: signal.Signals
) -> None:
    """Nor does somebody who asks again and again while it stops."""
    with demo(environment, tmp_path / "said", until=STARTING, name=name) as process:
        while len(_stack(environment)) < 4:
            assert process.poll() is None
            time.sleep(0.3)
        for _ in range(400):
            if process.poll() is not None:
                break
            process.send_signal(number)
            time.sleep(0.2)
        assert process.wait(timeout=10)
        assert _stack(environment) == []


def test_nobody_who_reads_what_it_says_leaves_a_process_behind(environment: dict[str, str]) -> None:
    """As where the terminal or the program behind a pipe is gone."""
    command = [sys.executable, "-m", "canopy", "demo"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        assert process.stderr
        deadline = time.monotonic() + 200
        while len(_stack(environment)) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.3)
        process.stderr.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60)
        assert _stack(environment) == []
    finally:
        process.kill()
        process.wait(timeout=30)
        Supervisor(Path(environment["CANOPY_HOME"])).stop()


def test_a_part_that_dies_again_and_again_is_named_and_the_others_are_stopped(
    environment: dict[str, str], tmp_path: Path
) -> None:
    said = tmp_path / "said"
    with demo(environment, said, until=WELL) as process:
        killed, supervisor = set[int](), Supervisor(Path(environment["CANOPY_HOME"]))
        while process.poll() is None:
            states = {state.part: state.pid for state in supervisor.states()}
            if (pid := states.get("mlflow", 0)) and pid not in killed:
                killed.add(pid)
                psutil.Process(pid).kill()
            time.sleep(0.1)
        assert len(killed) == 1 + RESTARTS
        assert process.wait(timeout=60) == 8
        text = " ".join(said.read_text().split())
        assert "PartDied: mlflow ended" in text
        assert "logs/mlflow.log" in text
        assert _stack(environment) == []
    home = Path(environment["CANOPY_HOME"])
    assert open_to_others(home) == []
    assert [entry.name for entry in home.iterdir() if not is_known(entry.name)] == []


def test_a_source_that_has_nothing_for_us_ends_the_demo_at_once(
    environment: dict[str, str], broken_service: Callable[..., BrokenService], tmp_path: Path
) -> None:
    service = broken_service(Reply(400, END_OF_DATA))
    said = tmp_path / "said"
    with demo(environment | {"SOURCE_URL": service.url}, said, until=WELL) as process:
        assert process.wait(timeout=120) == 3
    text = " ".join(said.read_text().split())
    assert "SourceEnded: The source is at its end, and nothing has landed (covertype, group 1: Ya se" in text
    assert "canopy source restart --group 1" in text
    assert _stack(environment) == []


def _stack(environment: dict[str, str]) -> list[psutil.Process]:
    """Every process that runs for this home folder, the demo itself apart."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            belongs = process.environ().get("AIRFLOW_HOME", "").startswith(environment["CANOPY_HOME"])
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if belongs:
            found.append(process)
    return found
