"""A real MLflow server, one for the session, and lakes to learn from."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.settings import LakeSettings
from tests.training.survey import make_lake, survey
from training.settings import TrainingSettings

READY_WITHIN_S = 150


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An MLflow server on a free port; its process ends with the session.

    `mlflow server` imports MLflow twice, once to start the other: 15 s until it answers, against 7 s.
    """
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.sqlite",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
    }
    command = [sys.executable, "-m", "uvicorn", "mlflow.server.fastapi_app:app", "--port", port]
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        _wait(server, f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get?experiment_id=0", folder)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MLflow warns about itself when it is imported and used."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for module in ("mlflow", "pydantic", "google"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore:::{module}"))


@pytest.fixture
def settings(mlflow_url: str, request: pytest.FixtureRequest) -> TrainingSettings:
    """A small forest, and a registered model of the test's own."""
    return small(mlflow_url, request.node.name)


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeSettings:
    """A published lake of 2,500 rows; tests that publish more make their own."""
    return make_lake(tmp_path_factory.mktemp("lake"), survey(2500))


def small(mlflow_url: str, name: str) -> TrainingSettings:
    """Settings for a forest that grows in a moment."""
    return TrainingSettings(
        mlflow_url=mlflow_url, model_name=name, experiment=name, trees=12, n_jobs=1, _env_file=None
    )


def _wait(server: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=30):
                return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError((folder / "log.txt").read_text())
