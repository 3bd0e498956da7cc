"""The real parts that the UI's tests start as processes: the prediction service and Streamlit."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from serving.model.cache import ModelCache
from serving.model.version import Version
from tests.serving.onnx_models import build_model
from tests.ui.stand_ins import NAME

ROOT = Path(__file__).parents[2]
START_WITHIN_S = 60.0


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def serving(folder: Path, *, has_model: bool = True) -> Iterator[str]:
    """The prediction service without its registry: it answers with the model that it kept, if any."""
    if has_model:
        _keep_model(folder)
    port, registry_port = free_port(), free_port()
    settings = {
        "SERVING_PORT": str(port),
        "SERVING_CACHE": str(folder),
        "SERVING_KEYS": str(folder / "keys.json"),
        "SERVING_PREDICT_KEY_FILE": str(folder / "predict.key"),
        "SERVING_ADMIN_KEY_FILE": str(folder / "admin.key"),
        "SERVING_SPOOL": str(folder / "spool"),
        "LAKE_URI": str(folder / "lake"),
        "TRAINING_MLFLOW_URL": f"http://127.0.0.1:{registry_port}",
        "SERVING_POLL_S": "3600",
    }
    path = "/ready" if has_model else "/live"
    with started([sys.executable, "-m", "serving"], settings, f"http://127.0.0.1:{port}", path, folder):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def streamlit(settings: dict[str, str], folder: Path) -> Iterator[str]:
    """The UI as `canopy` starts it."""
    port = free_port()
    command = [sys.executable, "-m", "ui", "--server.port", str(port)]
    with started(command, settings, f"http://127.0.0.1:{port}", "/_stcore/health", folder):
        yield f"http://127.0.0.1:{port}"


def _keep_model(folder: Path) -> None:
    version = Version(
        name=NAME, number="3", alias="champion", source="m-3", created_at_ms=1, tags={"snapshot_id": "14"}
    )
    cache = ModelCache(folder, NAME, "champion")
    cache.fetch(version, lambda _, partial: build_model(partial / "model.onnx").parent)
    cache.remember(version)


@contextmanager
def started(
    command: list[str], settings: dict[str, str], url: str, path: str, folder: Path
) -> Iterator[None]:
    """Runs a command until it is no longer needed; it answers at a path of its address by then."""
    log = folder / f"{command[2]}.log"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_answering(process, url + path, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_answering(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + START_WITHIN_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(url, trust_env=False, timeout=2).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} does not answer. Its log:\n{log.read_text(errors='replace')}")
