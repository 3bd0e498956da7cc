"""A real MLflow server for the tests, and a door in front of it that can be shut."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

START_WITHIN_S = 120.0
EXPERIMENT = "0"
TAGS = {
    "snapshot_id": "7",
    "contract_version": "1.0.0",
    "macro_f1": "0.91",
    "macro_f1_low": "0.9",
    "macro_f1_high": "0.92",
    "accuracy": "0.95",
}


@dataclass(frozen=True)
class TestRegistry:
    """An MLflow server that runs."""

    __test__ = False
    url: str

    def register(self, name: str, model: Path, **tags: str) -> str:
        """Registers a file as the next version of a model, as training does; returns the version."""
        client = MlflowClient(self.url, self.url)
        with suppress(MlflowException):
            client.create_registered_model(name)
        run = client.create_run(EXPERIMENT)
        client.log_artifact(run.info.run_id, str(model), "model")
        source = f"{run.info.artifact_uri}/model"
        return str(client.create_model_version(name, source, run.info.run_id, tags=TAGS | tags).version)

    def promote(self, name: str, version: str, alias: str = "champion") -> None:
        """Gives an alias to a version."""
        MlflowClient(self.url, self.url).set_registered_model_alias(name, alias, version)

    def demote(self, name: str) -> None:
        """Takes the alias away."""
        MlflowClient(self.url, self.url).delete_registered_model_alias(name, "champion")


@contextmanager
def process(
    command: list[str], log: Path, environment: dict[str, str] | None = None, patience_s: float = 10.0
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program, and ends it and all that it started."""
    with log.open("wb") as output:
        started = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {}), "MLFLOW_DISABLE_TELEMETRY": "true"},
            cwd=log.parent if environment is None else None,
            start_new_session=True,
        )
        try:
            yield started
        finally:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, 15)
            try:
                started.wait(patience_s)
            except subprocess.TimeoutExpired:
                os.killpg(started.pid, 9)
                started.wait(10)


class Door:
    """A port that passes connections on to another, until it is shut."""

    def __init__(self, target: str, port: int = 0) -> None:
        url = httpx.URL(target)
        self._target = (url.host, url.port)
        self._listener = socket.create_server(("127.0.0.1", port))
        self._sockets: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def shut(self) -> None:
        """Refuses new connections and cuts the open ones."""
        for item in [self._listener, *self._sockets]:
            with suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
            item.close()

    def open_again(self) -> Door:
        """The same port, passing connections on as before."""
        return Door(f"http://{self._target[0]}:{self._target[1]}", httpx.URL(self.url).port or 0)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                outer, _ = self._listener.accept()
                inner = socket.create_connection(self._target)
                self._sockets += [outer, inner]
                for pair in ((outer, inner), (inner, outer)):
                    threading.Thread(target=_pass_on, args=pair, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def answers(url: str) -> bool:
    """Whether an address answers with a success."""
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Waits for something to become true. Raises: AssertionError if it does not in time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"did not come true within {seconds} s"
        time.sleep(0.02)
