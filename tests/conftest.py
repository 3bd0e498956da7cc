"""What several packages' tests share: the rows of the survey, and one real MLflow server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from source.simulator.synthetic import generate

# No test asserts a time: on a busy machine an example takes as long as it takes.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
READY_WITHIN_S = 150
_OPENED_TWICE: list[str] = []
# Files whose tests read one lake that takes half a minute to build: one worker takes them all.
TOGETHER = {"tests/dbt_project/test_marts.py": "tests/dbt_project/test_build.py"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Long forms of tests are the same tests with a larger number."""
    parser.addoption(
        "--mutations", type=int, default=0, help="how many hostile inputs a test draws; 0: a few"
    )
    parser.addoption("--kills", type=int, default=12, help="how often collectors are killed, in all")
    parser.addoption("--pictures", default="", help="where the README's pictures are written, if anywhere")
    parser.addoption("--replies", type=int, default=1_000, help="how many replies are compared under swaps")
    parser.addoption("--publications", type=int, default=8, help="how often is published under readers")


def pytest_configure() -> None:
    """Has fixtures stop what they have started where the tests are ended by TERM, too."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, partial(_end, os.getpid()))


def _end(tests: int, number: int, frame: FrameType | None) -> None:
    if os.getpid() == tests:
        pytest.exit("ended by TERM", returncode=128 + number)
    os._exit(128 + number)  # a copy of the tests' process that a test has made


class _Files(LoadFileScheduling):
    """Gives each file to one worker, and files that share a lake to the same."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return TOGETHER.get(file, file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Files | None:
    """Takes the place of `--dist loadfile`."""
    return _Files(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Gives each test a usual umask: a command that is called in this process takes others' rights away."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def one_sqlite() -> Iterator[None]:
    """Fails a test in which Python opened a catalog that DuckDB had open here (`lake.catalog.writer`)."""
    _OPENED_TWICE.clear()
    yield
    assert not _OPENED_TWICE


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("open", "sqlite3.connect") and isinstance(arguments[0], str | bytes | os.PathLike):
        named = unquote(os.fsdecode(arguments[0])).removeprefix("file:").partition("?")[0]
        if named.endswith(("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm")):
            for handle in Path("/proc/self/fd").iterdir():
                with suppress(OSError):  # closed meanwhile
                    if handle.samefile(named):
                        _OPENED_TWICE.append(f"{event} {named}")


sys.addaudithook(_watch)


@pytest.fixture(scope="session")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real rows where this machine has them, else drawn ones: a file either way."""
    beside = Path(__file__).parents[2] / "shared" / "data" / "covertype.parquet"
    named = Path(os.environ.get("CANOPY_TEST_ROWS", beside))
    if named.is_file():
        return named
    drawn = tmp_path_factory.mktemp("survey") / "drawn.parquet"
    pq.write_table(generate(116_203, seed=1), drawn)
    return drawn


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An MLflow server on a free port; its process ends with the session."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    stores = ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.sqlite"]
    stores += ["--artifacts-destination", str(folder / "artifacts")]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port]
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen([*command, *stores], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        _wait(server, f"http://127.0.0.1:{port}/health", folder / "log.txt")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"MLflow did not come up:\n{log.read_text()[-2000:]}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Hostile names are no UTF-8; one in what was captured would end a run of several workers."""
    report = (yield).get_result()
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings are errors, but these packages warn about themselves when they are imported and used."""
    for item in items:
        for module in ("mlflow", "pydantic", "google", "great_expectations", "airflow", "cosmos", "dbt"):
            item.add_marker(pytest.mark.filterwarnings(f"ignore:::{module}"))
