"""A service in this process or in one of its own, with everything that it writes below one folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

from starlette.testclient import TestClient

from lake.settings import LakeSettings
from serving.http.app import create_app
from serving.settings import ServingSettings
from tests.serving.registry import answers, free_port, process, wait_until


def settings_in(folder: Path, **changes: Any) -> ServingSettings:
    """Settings of a service that writes below a folder only."""
    return ServingSettings(**paths_in(folder) | changes)


def paths_in(folder: Path) -> dict[str, Path]:
    """The settings that name files and folders."""
    return {
        "cache": folder / "cache",
        "keys": folder / "keys.json",
        "predict_key_file": folder / "predict.key",
        "admin_key_file": folder / "admin.key",
        "spool": folder / "spool",
    }


def bearer(file: Path) -> dict[str, str]:
    """The header with the key of a file."""
    return {"Authorization": f"Bearer {file.read_text().strip()}"}


def client_of(settings: ServingSettings, lake: LakeSettings) -> TestClient:
    """A client with the scope admin; the service starts when the client is entered."""
    app = create_app(settings, lake)
    return TestClient(
        app, "http://127.0.0.1", raise_server_exceptions=False, headers=bearer(settings.admin_key_file)
    )


@contextmanager
def running(
    folder: Path, registry_url: str, name: str, *, until: str = "/ready", **changes: str
) -> Iterator[tuple[str, Popen[bytes]]]:
    """`python -m serving` in a process of its own, once a path answers: its address and the process."""
    url = f"http://127.0.0.1:{free_port()}"
    environment = {f"SERVING_{key.upper()}": str(path) for key, path in paths_in(folder).items()} | {
        "SERVING_PORT": url.rpartition(":")[2],
        "TRAINING_MLFLOW_URL": registry_url,
        "TRAINING_MODEL_NAME": name,
        "SERVING_POLL_S": "0.1",
        "SERVING_RATE_LIMIT": "1000000/second",
        "LAKE_URI": str(folder / "lake"),
        **changes,
    }
    with process([sys.executable, "-m", "serving"], folder / "serving.log", environment) as service:
        wait_until(lambda: answers(f"{url}{until}") or service.poll() is not None, 60)
        assert service.poll() is None, (folder / "serving.log").read_text()
        yield url, service
