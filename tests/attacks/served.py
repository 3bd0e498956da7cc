"""A prediction service in a process of its own, with a model in its cache and a registry that is away."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx

from contracts.prediction import example_row
from serving.model.cache import ModelCache
from serving.model.version import Version
from tests.serving.onnx_models import CONTRACT, build_model
from tests.serving.services import bearer, running

NAME = "attacked"
ROW = example_row(CONTRACT)
JSON = "application/json"
BODY = json.dumps(ROW).encode()
NOBODY = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Service:
    """A service that runs.

    Attributes:
        url: Where it listens.
        folder: Its home.
        process: It.
    """

    url: str
    folder: Path
    process: Popen[bytes]

    @property
    def key(self) -> dict[str, str]:
        """The header with a key that may predict."""
        return bearer(self.folder / "predict.key")

    def ask(self, content: bytes = BODY, kind: str = JSON, path: str = "/v1/predictions") -> Any:
        """Sends a body."""
        headers = {**self.key, "Content-Type": kind}
        return httpx.post(f"{self.url}{path}", content=content, headers=headers, timeout=60)

    def connected(self) -> socket.socket:
        """A connection that has sent nothing."""
        address = httpx.URL(self.url)
        return socket.create_connection((address.host, address.port or 0), timeout=30)

    def head(self, length: int, path: str = "/v1/predictions", kind: str = "application/json") -> bytes:
        """The head of a request with a body of so many bytes."""
        lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {kind}"]
        lines += [f"Content-Length: {length}", f"Authorization: {self.key['Authorization']}"]
        return "\r\n".join([*lines, "", ""]).encode()

    def log(self) -> str:
        """What it has said."""
        return (self.folder / "serving.log").read_text(errors="replace")


def put_model(folder: Path, model: Path | None = None) -> Version:
    """Puts a model into the cache of a service, as the one that answered last."""
    built = model or build_model(folder / "built" / "model.onnx")
    version = Version(name=NAME, number="1", alias="champion", source="test", created_at_ms=1, tags={})
    cache = ModelCache(folder / "cache", NAME, "champion")
    cache.fetch(version, lambda _, partial: Path(shutil.copy(built, partial / "model.onnx")).parent)
    cache.remember(version)
    return version


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[Service]:
    """Runs a service on what lies in a folder; `put_model` gives it something to answer with."""
    with running(folder, NOBODY, NAME, SERVING_POLL_S="3600", **settings) as (url, process):
        yield Service(url, folder, process)
