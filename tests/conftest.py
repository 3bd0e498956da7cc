"""What several packages' tests share: the rows of the survey, and one real MLflow server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from source.simulator.synthetic import generate

READY_WITHIN_S = 150


def pytest_addoption(parser: pytest.Parser) -> None:
    """Long forms of tests are the same tests with a larger number."""
    parser.addoption("--kills", type=int, default=12, help="how often collectors are killed, in all")
    parser.addoption("--pictures", default="", help="where the README's pictures are written, if anywhere")
    parser.addoption("--replies", type=int, default=1_000, help="how many replies are compared under swaps")
    parser.addoption("--publications", type=int, default=8, help="how often is published under readers")


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings are errors, but these packages warn about themselves when they are imported and used."""
    for item in items:
        for module in ("mlflow", "pydantic", "google", "great_expectations", "airflow", "cosmos", "dbt"):
            item.add_marker(pytest.mark.filterwarnings(f"ignore:::{module}"))
