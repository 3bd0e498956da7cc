"""Serves the simulator, with one process or several."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pyarrow as pa
import uvicorn
from uvicorn.supervisors import Multiprocess

from contracts.http_protocol import CoalescingProtocol
from source.simulator.app import create_app
from source.simulator.settings import SimulatorSettings

# An answer that is held back or trickles keeps nobody from ending the simulator for longer.
LAST_WORDS_S = 1


def run(settings: SimulatorSettings) -> None:
    """Serves until SIGTERM or SIGINT. Raises: RowsUnreadable, SettingsInvalid."""
    app = create_app(settings)  # of several workers none gets far where this one does not
    if settings.workers > 1:
        del app
        _run_workers(settings)
        return
    # uvicorn shuts down on SIGTERM and then hands the signal on: leave with status 0 after that.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        http=CoalescingProtocol,
        ws="none",
        log_level="info",
        timeout_graceful_shutdown=LAST_WORDS_S,
    )


@contextmanager
def serving(
    settings: SimulatorSettings, rows: pa.Table | None = None, clock: Callable[[], float] = time.time
) -> Iterator[str]:
    """Yields the simulator in a thread of this process, on a port that nobody has; its address."""
    config = uvicorn.Config(
        create_app(settings, rows, clock), http=CoalescingProtocol, ws="none", log_level="warning"
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _run_workers(settings: SimulatorSettings) -> None:
    """Runs workers as `uvicorn --workers` does; each worker makes the service for itself."""
    config = uvicorn.Config(
        partial(create_app, settings),
        factory=True,
        host=settings.host,
        port=settings.port,
        http=CoalescingProtocol,
        ws="none",
        workers=settings.workers,
        log_level="info",
        timeout_graceful_shutdown=LAST_WORDS_S,
    )
    Multiprocess(config, [config.bind_socket()]).run()
