"""Whatever folder `TMPDIR` names, the control socket and the copies of the catalog lie in the home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.control import PATH_BYTES
from deploy.local.parts import Service
from deploy.local.start_part import processes_of
from deploy.local.supervisor import Supervisor
from lake.catalog.copy import FOLDER
from tests.canopy.test_front_door import NOT_AS_ROOT
from tests.lake.landed import lake_in
from tests.lake.published import fill_with_numbers

pytestmark = pytest.mark.long  # each starts and ends processes of a stack

LONG = "/".join(["a folder of forty letters and some more "[:40].strip()] * 6)
WAITS = "import time; time.sleep(600)"
# Reads, says where its copies of the catalog are, and is killed before it could remove one.
READS = """
import os, signal
from lake.catalog.connection import connect
from lake.settings import LakeSettings
with connect(LakeSettings()) as reader:
    print(reader.execute("select count(*) from gold.numbers").fetchone()[0], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _with_blanks(folder: Path) -> Path:
    (made := folder / "año  niño #1; (100%)").mkdir()
    return made


def _deep(folder: Path) -> Path:
    (made := folder / LONG).mkdir(parents=True)
    assert len(os.fsencode(made)) > PATH_BYTES
    return made


def _deleted(folder: Path) -> Path:
    return folder / "deleted"


def _not_to_be_written(folder: Path) -> Path:
    (made := folder / "shut").mkdir(mode=0o555)
    return made


def _a_file(folder: Path) -> Path:
    (made := folder / "file").write_text("")
    return made


PLAIN, BLANKS = "home", "mi casa (año 1) #2"
CASES: list[tuple[str, Callable[[Path], Path]]] = [
    (PLAIN, _with_blanks),
    (BLANKS, _deep),
    (LONG, _deleted),
    (LONG, _with_blanks),
    (PLAIN, _not_to_be_written),
    (BLANKS, _a_file),
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0][:4]}-{case[1].__name__}")
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A home, and what `TMPDIR` names; when the test is over, nothing may have been put there."""
    name, make = request.param
    (home := tmp_path / "homes" / name).mkdir(parents=True)
    (around := tmp_path / "temporary").mkdir()
    temporary = make(around)
    before = sorted(around.rglob("*"))
    yield home, temporary
    assert sorted(around.rglob("*")) == before


def run(environment: dict[str, str], temporary: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs Python as somebody whom rights hold, in an empty folder of his own."""
    folder = Path(environment["CANOPY_HOME"]).parent / "working"
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [*NOT_AS_ROOT, sys.executable, *words],
        env=environment | {"TMPDIR": str(temporary)},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert list(folder.iterdir()) == []
    return done


def test_what_runs_is_found_and_ended_whatever_folder_is_named(
    environment: dict[str, str], case: tuple[Path, Path]
) -> None:
    home, temporary = case
    environment |= {"CANOPY_HOME": str(home)}
    waits = Service("waits", "Waits", (sys.executable, "-c", WAITS), "http://127.0.0.1:9/")
    supervisor = Supervisor(home)
    supervisor.start([waits], os.environ | {"TMPDIR": str(temporary)})
    try:
        _is_found_and_ended(environment, home, temporary)
    finally:
        supervisor.stop()


def _is_found_and_ended(environment: dict[str, str], home: Path, temporary: Path) -> None:
    assert (home / "run" / "supervisor.sock").is_socket()
    assert [state.name for state in Supervisor(home).states()] == ["RUNNING"]
    refused = run(environment, temporary, "-m", "canopy", "backup", str(home.parent / "backup"))
    assert refused.returncode != 0
    assert "canopy down" in " ".join(refused.stderr.split())
    assert not (home.parent / "backup").exists()
    done = run(environment, temporary, "-m", "canopy", "down")
    assert done.returncode == 0, done.stderr
    assert processes_of(str(home)) == []
    assert not (home / "run" / "supervisor.sock").exists()


def test_what_is_read_is_copied_beside_the_catalog_whatever_folder_is_named(
    environment: dict[str, str], case: tuple[Path, Path]
) -> None:
    home, temporary = case
    lake = fill_with_numbers(lake_in(home))
    environment |= {"CANOPY_HOME": str(home), "LAKE_URI": lake.uri, "LAKE_CATALOG": lake.catalog}
    killed = run(environment, temporary, "-c", READS)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "5\n"), killed.stderr
    left = [file.name for file in (home / FOLDER).iterdir()]
    assert [name for name in left if name.endswith(".sqlite")]
    asked = ("select count(*) as n from gold.numbers", "--format", "csv")
    done = run(environment, temporary, "-m", "canopy", "sql", *asked)
    assert (done.returncode, done.stdout.split()) == (0, ["n", "5"]), done.stderr
    assert list((home / FOLDER).iterdir()) == []
