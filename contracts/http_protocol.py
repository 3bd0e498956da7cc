"""uvicorn's HTTP protocol: replies leave in one piece, and what is no body is bounded in bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import httptools
from uvicorn.config import HTTP_PROTOCOLS, WS_PROTOCOLS, Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from contracts.connections import HEAD_BYTES, TOO_LARGE, Patience, Phase, Watch
from contracts.hosts import HEADERS

# Looking up a member of an enumeration takes longer than comparing it.
IDLE, HEAD, BODY = Phase.IDLE, Phase.HEAD, Phase.BODY
# Requests that one connection may have waiting; each is an object of some kilobytes.
PIPELINED = 100
RENAMED = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}
KINDS = {
    HTTPStatus.BAD_REQUEST: "not-readable",
    HTTPStatus.REQUEST_TIMEOUT: "too-slow",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "too-large",
    HTTPStatus.SERVICE_UNAVAILABLE: "busy",
}
NO_HTTP = (
    "This is no request of HTTP/1.1. Send a request line, headers and an empty line, as RFC 9112 has them."
)
FULL = "The service has as many connections as it takes, and none of them is idle. Try again in a moment."


class CoalescingProtocol(HttpToolsProtocol):
    """One connection.

    Head and body of a reply leave in one packet; uvicorn writes them apart, a call to the system each. What
    has no bound in uvicorn has one here: the bytes of a head, the requests that wait in a row, the
    connections; how long a caller may take is watched by `contracts/connections.py`.

    Attributes:
        phase: What is waited for.
        told: Changes whenever the caller has sent something that counts.
        pieces: Pieces of bodies that have come.
        is_refused: Whether nothing more is taken from it.
    """

    _watches: ClassVar[WeakKeyDictionary[ServerState, Watch]] = WeakKeyDictionary()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Args as uvicorn's, and how much is put up with."""
        super().__init__(config, server_state, app_state, _loop)
        self.phase = IDLE
        self.told = self.pieces = 0
        self._wrong = NO_HTTP
        self._unread = 0
        self.is_refused = False
        self._patience = patience or Patience()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes the connection over, or refuses it if there are too many."""
        super().connection_made(CoalescingTransport(transport, self.loop))  # type: ignore[arg-type]  # as far as it is used
        watch = self._watches.get(self.server_state)
        if watch is None:
            watch = self._watches[self.server_state] = Watch(self.loop, self.connections, self._patience)
        if not watch.welcome(self):
            self._write_problem(HTTPStatus.SERVICE_UNAVAILABLE, FULL)
            self.is_refused = True
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Takes what has come."""
        if self.is_refused:
            return  # what a caller still sends while the reason is on its way to him
        if len(data) > HEAD_BYTES:
            self._feed_in_pieces(data)
            return
        said = self.told + self.pieces
        super().data_received(data)
        # The parser says when a head is whole, a piece of a body is there, or a request: then it begins anew.
        if self.told + self.pieces != said:
            self._unread = 0
        else:
            self._unread += len(data)
            self._wait_for_more()

    def _feed_in_pieces(self, data: bytes) -> None:
        for start in range(0, len(data), HEAD_BYTES):
            if not self.is_refused and not self.transport.is_closing():
                self.data_received(data[start : start + HEAD_BYTES])

    def _wait_for_more(self) -> None:
        if self._unread > HEAD_BYTES:
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_LARGE)
        elif self.phase is IDLE:
            self.phase = HEAD

    def on_headers_complete(self) -> None:
        """Begins a request."""
        if len(self.pipeline) >= PIPELINED:
            self._wrong = f"More than {PIPELINED} requests wait. Read answers before you send further ones."
            raise ValueError(self._wrong)  # answered with 400 by uvicorn
        self.told += 1
        self.phase = BODY
        if not self.url.startswith(b"/"):
            self._take_host_from_target()
        super().on_headers_complete()
        # The parser goes on to fill its own list with what stands behind a body, and that is no header
        # (RFC 9110, 6.5.1).
        self.scope["headers"] = self.headers[:]

    def _take_host_from_target(self) -> None:
        """Puts the host of a whole address in the place of `Host`, as RFC 9112 (3.2.2) has it.

        Who may ask is decided by `Host`: a target of another server would pass by that rule.
        """
        target = httptools.parse_url(self.url)
        if target.host is not None:
            name = b"[%b]" % target.host if b":" in target.host else target.host
            host = name if target.port is None else b"%b:%d" % (name, target.port)
            self.headers[:] = [*(pair for pair in self.headers if pair[0] != b"host"), (b"host", host)]

    def on_body(self, body: bytes) -> None:
        """Takes a piece of a body."""
        self.pieces += 1
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends a request."""
        self.told += 1
        self.phase = IDLE
        super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Says nothing in the log: anybody may ask for it, as often as he likes."""

    @property
    def is_busy(self) -> bool:
        """Returns whether the service has yet to answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answers a problem and takes nothing more; the watch closes the connection soon after.

        To close it at once would reset it while the caller still sends, and the reason would be lost.
        """
        self.is_refused = True
        if self.transport.is_closing():
            return
        self._write_problem(status, detail)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn passes its words
        """Answers what is no HTTP; uvicorn's own reply tells a browser nothing."""
        self._write_problem(HTTPStatus.BAD_REQUEST, self._wrong)
        self.transport.close()

    def _write_problem(self, status: HTTPStatus, detail: str) -> None:
        self.transport.write(b"".join(_problem(status, detail)))


def bound_servers(*, websockets: bool = False) -> None:
    """Has each server that uvicorn runs in this process, whoever starts it, bound its connections.

    Args:
        websockets: Whether an application needs them. They are counted and not watched: whether somebody is
            still there is asked by their own pings.
    """
    HTTP_PROTOCOLS["auto"] = f"{__name__}:{CoalescingProtocol.__name__}"
    if not websockets:
        WS_PROTOCOLS["auto"] = None


def title(status: HTTPStatus) -> str:
    """Returns a status' name as RFC 9110 has it; Python has these two only from 3.13 on."""
    return RENAMED.get(status, status.phrase)


def _problem(status: HTTPStatus, detail: str) -> Iterator[bytes]:
    """Yields a whole reply; there is no request yet that the application could answer."""
    body = json.dumps(
        {
            "type": f"urn:canopy:problem:{KINDS[status]}",
            "title": title(status),
            "status": int(status),
            "detail": detail,
            "errors": [],
        }
    ).encode()
    yield f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
    for name, value in (*HEADERS, (b"cache-control", b"no-store")):
        yield b"%b: %b\r\n" % (name, value)
    yield b"content-type: application/problem+json\r\n"
    yield f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    yield body


class CoalescingTransport:
    """A transport that writes once a turn of the event loop what was written to it in that turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []
        self._written = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    @property
    def taken(self) -> int:
        """Returns bytes that the system has taken on their way to the caller."""
        return self._written - self._transport.get_write_buffer_size()

    def write(self, data: Any) -> None:
        """Writes at the end of this turn."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def write_eof(self) -> None:
        """Says that nothing more comes, when all is written."""
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Closes when all is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pieces:
            content = b"".join(self._pieces)
            self._written += len(content)
            self._transport.write(content)
            self._pieces.clear()
