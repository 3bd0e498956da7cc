"""The real stack, started, interrupted and broken."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from canopy.stack.supervisor import Supervisor

pytestmark = pytest.mark.long

STARTING = "starting source"
WELL = "scheduler is well"


@contextmanager
def demo(environment: dict[str, str], said: Path, until: str) -> Iterator[subprocess.Popen[bytes]]:
    """`canopy demo` in a process of its own, once it has said this."""
    with said.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "canopy", "demo"], env=environment, stdout=stream, stderr=stream
        )
    try:
        deadline = time.monotonic() + 200
        while until not in said.read_text():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.3)
        yield process
    finally:
        process.kill()
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


def test_a_part_that_dies_is_named_and_the_others_are_stopped(
    environment: dict[str, str], tmp_path: Path
) -> None:
    said = tmp_path / "said"
    with demo(environment, said, until=WELL) as process:
        states = {state.part: state.pid for state in Supervisor(Path(environment["CANOPY_HOME"])).states()}
        psutil.Process(states["mlflow"]).kill()
        assert process.wait(timeout=60) == 8
        text = " ".join(said.read_text().split())
        assert "PartDied: mlflow ended" in text
        assert "logs/mlflow.log" in text
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
