"""uvicorn's HTTP protocol, whose replies leave in one piece."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class OnePiece(HttpToolsProtocol):
    """Head and body of a reply leave in one packet; uvicorn writes them apart, a call to the system each."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes the connection over."""
        super().connection_made(Gathering(transport, self.loop))


class Gathering(asyncio.Transport):
    """A transport that writes once a turn of the event loop what was written to it in that turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []
        for name in ("is_closing", "pause_reading", "resume_reading", "get_extra_info", "set_protocol"):
            setattr(self, name, getattr(transport, name))

    def write(self, data: Any) -> None:
        """Writes at the end of this turn."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        """Closes when all is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pieces:
            self._transport.write(b"".join(self._pieces))
            self._pieces.clear()
