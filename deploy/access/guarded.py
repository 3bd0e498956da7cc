"""Who may ask and how long it may take, for the small servers of Python's own library."""

from __future__ import annotations

import logging
import socket
import sys
import time
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedReader
from threading import BoundedSemaphore
from typing import Any

from contracts.connections import HEAD_BYTES, TOO_LARGE
from contracts.hosts import HEADERS, OWN, refusal
from contracts.started import HEADER, HEALTH, started_as

logger = logging.getLogger(__name__)

# A head has so long, however it drips; so long a connection may be silent or not read; so many are answered
# side by side, and further ones wait.
HEAD_S, QUIET_S, AT_ONCE = 10.0, 30.0, 32
LOOK_EVERY_S = 0.5


class BoundedHead(BufferedReader):
    """Reads the lines of a head; the library bounds each of them and their number, and not the whole."""

    _left = HEAD_BYTES

    def readline(self, size: int | None = -1, /) -> bytes:
        """Reads a line. Raises: HTTPException, which is answered with 431, if the head has too many bytes."""
        most = self._left + 1
        line = super().readline(most if size is None or size < 0 else min(size, most))
        is_first = self._left == HEAD_BYTES  # the library answers a first line that is too long with 414
        if len(line) > self._left and not is_first:
            raise HTTPException(TOO_LARGE)
        self._left -= len(line)
        return line


class GuardedHandler(BaseHTTPRequestHandler):
    """Refuses who may not ask, and tells browsers what they may do with an answer."""

    allowed: frozenset[str] = OWN
    timeout = QUIET_S

    def setup(self) -> None:
        """Bounds what a connection may send: it is closed after one request."""
        super().setup()
        self.rfile = BoundedHead(self.rfile.detach())

    def parse_request(self) -> bool:
        """Reads the head of a request; False if it is answered already."""
        if not super().parse_request():
            return False
        if isinstance(self.server, BoundedServer):
            self.server.has_head(self.request)
        hosts, origins = (self.headers.get_all(name) or [] for name in ("Host", "Origin"))
        reason = refusal(self.allowed, hosts, origins)
        if reason is None and not self.path.startswith("/"):
            reason = "The address of a request begins with a slash."
        if reason is not None:
            self.close_connection = True
            self.send_error(HTTPStatus.FORBIDDEN, explain=reason)
        return reason is None

    def end_headers(self) -> None:
        """Adds what a browser is told with every answer."""
        for name, value in HEADERS:
            self.send_header(name.decode(), value.decode())
        if getattr(self, "path", "") in HEALTH:
            self.send_header(HEADER, started_as())
        super().end_headers()


class BoundedServer(ThreadingHTTPServer):
    """Answers each connection in a thread, and no more than so many of them at once."""

    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        self._places = BoundedSemaphore(AT_ONCE)
        self._headless: dict[socket.socket, float] = {}
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Waits for a place, then answers in a thread."""
        while not self._places.acquire(timeout=LOOK_EVERY_S):
            self.service_actions()
        self._headless[request] = time.monotonic()
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._let_go(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers, and gives the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._let_go(request)

    def has_head(self, request: socket.socket) -> None:
        """Notes that the head of a request is whole."""
        self._headless.pop(request, None)

    def service_actions(self) -> None:
        """Ends connections whose head has not come in time; the library asks for it twice a second."""
        now = time.monotonic()
        for request, since in list(self._headless.items()):
            if now - since > HEAD_S:
                self._headless.pop(request, None)
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says that somebody hung up in one line; anything else as it is."""
        if isinstance(sys.exception(), OSError):
            logger.info("%s hung up", client_address[0])
        else:
            super().handle_error(request, client_address)

    def _let_go(self, request: socket.socket) -> None:
        self._headless.pop(request, None)
        self._places.release()
