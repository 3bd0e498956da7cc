"""Runs Canopy's small servers: who may ask them, how many at once, and how long each may take."""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import Any

import uvicorn

from contracts.connections import Patience
from contracts.hosts import OWN, Application, HostGuard
from contracts.http_protocol import CoalescingProtocol

# Each connection may hold 128 KiB of a head: a hundred of them fit into a container of 128 MB.
PATIENCE = Patience(connections=100)
LAST_WORDS_S = 1


def bounded_server(
    app: Application, host: str, port: int, allowed: frozenset[str] = OWN, *, log_level: str = "error"
) -> uvicorn.Server:
    """Returns a server of an application that has yet to be run; at `info` it logs one line a request."""
    protocol: Any = partial(CoalescingProtocol, patience=PATIENCE)
    config = uvicorn.Config(
        HostGuard(app, allowed),
        host=host,
        port=port,
        http=protocol,
        ws="none",
        log_config=None,
        log_level=log_level,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=LAST_WORDS_S,
    )
    return uvicorn.Server(config)


def run(server: uvicorn.Server) -> None:
    """Serves until it is told to end."""
    # uvicorn sends itself the signal that ended it once more: the status would not be 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.run()
