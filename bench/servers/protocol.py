"""Canopy or a constant behind one protocol of uvicorn: `python -m bench.servers.protocol APP PROTOCOL PORT`.

`ours` is the product's (contracts/http_protocol.py), `apart` the same with head and body of a reply apart,
`uvicorn` its own.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import serving.__main__ as serving
from contracts import http_protocol
from contracts.connections import Patience


class Apart:
    """A transport that writes at once."""

    taken = 0

    def __init__(self, transport: Any, _: object) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def main() -> None:
    """Serves until it is told to end."""
    app, protocol, port = sys.argv[1:]
    # Of the product's parts those are changed that a setting does not reach.
    if protocol == "apart":
        http_protocol.CoalescingTransport = Apart  # type: ignore[misc, assignment]
    if app == "canopy":
        if protocol == "uvicorn":
            serving.partial = lambda *_, **__: HttpToolsProtocol  # type: ignore[assignment, attr-defined]
        serving.main()
        return
    ours: Any = partial(http_protocol.CoalescingProtocol, patience=Patience())
    uvicorn.run(
        "bench.servers.constant:app",
        port=int(port),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=HttpToolsProtocol if protocol == "uvicorn" else ours,
        ws="none",
        timeout_keep_alive=serving.KEEP_ALIVE_S,
    )


if __name__ == "__main__":
    main()
