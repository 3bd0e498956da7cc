"""The real stack, started, interrupted and broken."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from deploy.home import is_known
from deploy.local.supervisor import RESTARTS, Supervisor
from lake.catalog.connection import connect
from tests.attacks.test_rights import open_to_others
from tests.lake.landed import lake_in, survey_rows
from tests.source.conftest import BrokenService, Reply, broken_service

__all__ = ["broken_service"]

pytestmark = pytest.mark.long

STARTING = "starting source"
WELL = "scheduler is well"
ENDS = (
    "Ya se recolectó toda la información mínima necesaria",
    "YA SE RECOLECTO TODA LA INFORMACION MINIMA NECESARIA para el grupo.",
    "  ya se recolecto toda la información minima necesaria",
)


@contextmanager
def demo(
    environment: dict[str, str], said: Path, until: str, name: str = "demo"
) -> Iterator[subprocess.Popen[bytes]]:
    """`canopy demo` in a process of its own that lets everybody read, once it has said this."""
    # What runs the tests may have a lost terminal ignored, as `nohup` has.
    command = ["env", "--default-signal=HUP", sys.executable, "-m", "canopy", *name.split()]
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


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("said_so", "groups"), [(ENDS[0], (1,)), (ENDS[1], (1,)), (ENDS[2], (2, 3))], ids=["one", "loud", "two"]
)
def test_a_source_that_has_nothing_for_us_ends_the_demo_at_once(
    environment: dict[str, str],
    broken_service: Callable[..., BrokenService],
    tmp_path: Path,
    said_so: str,
    groups: tuple[int, ...],
) -> None:
    """However it spells the end, and whoever asks."""
    service = broken_service(ended(said_so))
    said = tmp_path / "said"
    environment |= {"SOURCE_URL": service.url, "SOURCE_GROUPS": ",".join(map(str, groups))}
    with demo(environment, said, until=WELL) as process:
        assert process.wait(timeout=240) == 3
    text = " ".join(said.read_text().split())
    each = "; ".join(f"covertype, group {group}: {said_so.strip()}" for group in groups)
    assert (
        f"SourceEnded: The source is at its end, and nothing has landed ({each}). Set SOURCE_GROUPS" in text
    )
    assert f"canopy source restart --group {groups[0]}" in text
    assert _stack(environment) == []


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    ("batches", "said_so"),
    [
        pytest.param(1, ENDS[0], id="1"),
        pytest.param(3, ENDS[1], id="3", marks=pytest.mark.longest),
        pytest.param(2, ENDS[2], id="2", marks=pytest.mark.longest),
    ],
)
def test_a_source_that_ends_after_a_few_batches_is_walked_with_all_the_same(
    environment: dict[str, str],
    broken_service: Callable[..., BrokenService],
    survey: Path,
    tmp_path: Path,
    batches: int,
    said_so: str,
) -> None:
    """Each is refined, a prediction of a model of theirs is served, and the demo leaves."""
    rows = survey_rows(survey, 1_000 * batches)
    landed = [
        {"group_number": 1, "batch_number": number, "data": rows[1_000 * (number - 1) : 1_000 * number]}
        for number in range(1, batches + 1)
    ]
    service = broken_service(*(Reply(200, json.dumps(body).encode()) for body in landed), ended(said_so))
    environment |= {"SOURCE_URL": service.url, "SOURCE_WINDOW_S": "5", "CANOPY_COLLECT_EVERY_S": "15"}
    said = tmp_path / "said"
    with demo(environment, said, until=WELL, name="demo --exit") as process:
        assert process.wait(timeout=1200) == 0, said.read_text()
    assert "SourceEnded" not in said.read_text()
    report = json.loads(said.read_text().splitlines()[-1])
    distinct = len(set(map(tuple, rows)))
    assert report["rows"] == {"landed": len(rows), "distinct": distinct, "quarantined": 0}
    assert report["prediction"]["predictions"][0]["cover_type_name"]
    lake = lake_in(Path(environment["CANOPY_HOME"]))
    with connect(lake) as reader:
        counted = reader.execute("select count(*), count(distinct row_id) from gold.training_set").fetchone()
    assert counted == (distinct, distinct)
    assert len(service.asked) > batches
    assert _stack(environment) == []


def ended(said_so: str) -> Reply:
    """The source's answer at its end."""
    return Reply(400, json.dumps({"detail": said_so}).encode())


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
