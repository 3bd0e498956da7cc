"""A simulator that listens, a service that breaks as told, and rows for both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pytest

from lake.settings import LakeSettings
from source.settings import SourceSettings
from source.simulator.server import serving
from source.simulator.settings import SimulatorSettings
from source.simulator.synthetic import generate


@dataclass
class Reply:
    """What the broken service sends; `missing` bytes of the promised length never come.

    A redirect has a `location`.
    """

    status: int = 200
    body: bytes = b""
    missing: int = 0
    delay_s: float = 0.0
    location: str = ""


@dataclass
class BrokenService:
    """Answers each request with the next reply, and every later one with the last."""

    url: str
    replies: list[Reply]
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def rows() -> pa.Table:
    return generate(4_000, seed=3)


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return LakeSettings(uri=str(tmp_path / "lake"), catalog=f"sqlite:{tmp_path / 'catalog.sqlite'}")


@pytest.fixture
def simulator(tmp_path: Path, rows: pa.Table) -> Iterator[str]:
    """The address of a simulator whose window is over at once: each request is the next batch."""
    settings = SimulatorSettings(window_s=0.0, seed=1, state=tmp_path / "timestamps.json")
    with serving(settings, rows) as url:
        yield url


@pytest.fixture
def broken_service() -> Iterator[Callable[..., BrokenService]]:
    servers: list[ThreadingHTTPServer] = []

    def start(*replies: Reply) -> BrokenService:
        server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        service = BrokenService(f"http://127.0.0.1:{server.server_port}", list(replies))
        server.RequestHandlerClass = _handler(service)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        servers.append(server)
        return service

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def own_incoming_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_INCOMING", str(tmp_path / "incoming"))


def impatient(url: str, **changes: object) -> SourceSettings:
    """Settings that try again at once, and ask once a run."""
    once = {"requests_per_window": 1, "window_s": 0.0, "pace_s": 0.0, "recheck_s": 0.0}
    waits = {"first_wait_s": 0.0, "longest_wait_s": 0.01, "timeout_s": 5.0}
    return SourceSettings.model_validate({"url": url, **once, **waits, **changes})


def _handler(service: BrokenService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.asked.append(self.path)
            reply = service.replies.pop(0) if len(service.replies) > 1 else service.replies[0]
            time.sleep(reply.delay_s)
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(reply.body) + reply.missing))
            if reply.location:
                self.send_header("Location", reply.location)
            self.end_headers()
            with suppress(OSError):  # the client may have given up by now
                self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
