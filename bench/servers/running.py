"""The contestants of bench.serving: each a process, started and ended here."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from serving.model.cache import ModelCache
from serving.model.version import Version

ROOT = Path(__file__).parents[2]
BENTO_PYTHON = ROOT / ".bench-venv" / "bin" / "python"
READY_WITHIN_S = 120
NAME = "bench"
CONSTANT = (sys.executable, "-m", "uvicorn", "bench.servers.constant:app", "--no-access-log", "--port")
CANOPY = (sys.executable, "-m", "serving")


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        name: For people.
        url: Where it listens.
        path: Where one row is asked.
        headers: What a request needs.
        body: How it wants a row.
        pid: Its process.
    """

    name: str
    url: str
    path: str
    headers: Mapping[str, str]
    body: Callable[[Mapping[str, Any]], str]
    pid: int


@contextmanager
def constant(folder: Path, command: Sequence[str] = CONSTANT) -> Iterator[Server]:
    """Starts FastAPI and uvicorn, which answer a constant; a command is given the port as its last
    argument."""
    port = free_port()
    command = [*command, str(port)]
    with _running("constant", command, folder, {}, f"http://127.0.0.1:{port}/live") as process:
        yield _server("FastAPI, a constant", port, "/v1/predictions", process)


@contextmanager
def canopy(
    model: Path, folder: Path, *, workers: int = 1, command: Sequence[str] = CANOPY
) -> Iterator[Server]:
    """Yields the prediction service with everything on; its registry is away, so it answers from its
    cache."""
    port, home = free_port(), folder / f"canopy-{workers}"
    version = Version(
        name=NAME, number="1", alias="champion", source="bench", created_at_ms=1, tags={"snapshot_id": "7"}
    )
    cache = ModelCache(home / "models", NAME, "champion")
    cache.fetch(version, lambda _, partial: Path(shutil.copy(model, partial / "model.onnx")).parent)
    cache.remember(version)
    settings = {
        "SERVING_PORT": str(port),
        "SERVING_WORKERS": str(workers),
        "TRAINING_MODEL_NAME": NAME,
        "TRAINING_MLFLOW_URL": f"http://127.0.0.1:{free_port()}",
        "SERVING_POLL_S": "3600",
        "SERVING_RATE_LIMIT": "1000000/second",
        "SERVING_CACHE": str(home / "models"),
        "SERVING_KEYS": str(home / "keys.json"),
        "SERVING_PREDICT_KEY_FILE": str(home / "predict.key"),
        "SERVING_ADMIN_KEY_FILE": str(home / "admin.key"),
        "SERVING_SPOOL": str(home / "spool"),
        "LAKE_URI": str(home / "lake"),
    }
    ready = f"http://127.0.0.1:{port}/ready"
    with _running("canopy", [*command, str(port)], folder, settings, ready) as process:
        server = _server("**Canopy**", port, "/v1/predictions", process)
        key = (home / "predict.key").read_text().strip()
        yield Server(**vars(server) | {"headers": {**server.headers, "Authorization": f"Bearer {key}"}})


@contextmanager
def mlflow_server(model: Path, folder: Path) -> Iterator[Server]:
    """Starts `mlflow models serve` of the same file."""
    import mlflow.onnx
    import onnx

    port, saved = free_port(), folder / "mlflow-model"
    mlflow.onnx.save_model(
        onnx.load(str(model)), str(saved), onnx_execution_providers=["CPUExecutionProvider"]
    )
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(saved), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    # It looks for uvicorn beside nothing else.
    found = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with _running("mlflow", command, folder, found, f"http://127.0.0.1:{port}/ping") as process:
        server = _server("mlflow models serve", port, "/invocations", process)
        yield Server(**vars(server) | {"body": as_tensors})


def as_tensors(row: Mapping[str, Any]) -> str:
    """Returns a row as MLflow wants the inputs of an ONNX model."""
    return json.dumps({"inputs": {name: [[value]] for name, value in row.items()}})


@contextmanager
def bento(model: Path, folder: Path) -> Iterator[Server]:
    """Starts BentoML with ONNX Runtime and the same file."""
    if not BENTO_PYTHON.is_file():
        raise SystemExit("BentoML has an environment of its own: `make .bench-venv/.bench` makes it.")
    port = free_port()
    settings = {
        "BENCH_MODEL": str(model),
        "BENTOML_DO_NOT_TRACK": "true",
        "BENTOML_HOME": str(folder / "bento"),
    }
    command = [
        str(BENTO_PYTHON),
        "-m",
        "bentoml",
        "serve",
        "bench.servers.bento:Covertype",
        "--host",
        "127.0.0.1",
    ]
    command += ["--port", str(port), "--working-dir", str(ROOT)]
    with _running("bento", command, folder, settings, f"http://127.0.0.1:{port}/readyz") as process:
        server = _server("BentoML", port, "/predict", process)
        yield Server(**vars(server) | {"body": lambda row: json.dumps({"row": dict(row)})})


def _server(name: str, port: int, path: str, process: subprocess.Popen[bytes]) -> Server:
    headers = {"Content-Type": "application/json"}
    return Server(name, f"http://127.0.0.1:{port}", path, headers, json.dumps, process.pid)


@contextmanager
def _running(
    name: str, command: list[str], folder: Path, settings: Mapping[str, str], ready: str
) -> Iterator[subprocess.Popen[bytes]]:
    log = folder / f"{name}.log"
    environment = {**os.environ, **settings}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait(name, process, ready, log)
        yield process
    finally:
        with suppress(ProcessLookupError):  # where it did not come up
            os.killpg(process.pid, 15)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait(10)


def free_port() -> int:
    """Returns a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait(name: str, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while process.poll() is None and time.monotonic() < until:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{name} did not come up:\n{log.read_text()[-3000:]}")
