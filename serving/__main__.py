"""`python -m serving`: the prediction service, on the address of its settings."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
import threading
from contextlib import ExitStack, suppress
from functools import partial

import uvicorn

from contracts.connections import Patience
from contracts.errors import CanopyError
from contracts.http_protocol import CoalescingProtocol
from contracts.outside import log_to_stderr
from contracts.rights import keep_private
from serving.http.shared_folder import shared_folder
from serving.settings import ServingSettings

# Connections may come from people who keep them open and send nothing.
KEEP_ALIVE_S = 30
STOP_WITHIN_S = 20
# What a service with its connections, files and the registry may need.
DESCRIPTORS = 4_096


def main() -> None:
    """Serves until it is told to end."""
    keep_private()
    settings = ServingSettings()
    # uvicorn sends itself the signal that ended it once more: the process would end before its contexts.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _raise_descriptors()
    patience = Patience(
        settings.connection_limit, KEEP_ALIVE_S, settings.head_timeout_s, settings.request_timeout_s
    )
    with ExitStack() as opened:
        if settings.workers > 1:
            # Read by prometheus_client when it is imported: before the application is.
            shared = opened.enter_context(shared_folder(settings.work_folder))
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared)
        uvicorn.run(
            "serving.__main__:application",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            http=partial(CoalescingProtocol, patience=patience),  # type: ignore[arg-type]
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=STOP_WITHIN_S,
        )


def application() -> object:
    """Returns the application of one worker."""
    from serving.http.app import create_app

    log_to_stderr(logging.INFO, "%(asctime)s %(levelname)s %(name)s %(message)s")
    # The champion says once that the registry is away; its HTTP client would say so at each poll.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        app = create_app()
    except CanopyError as error:
        sys.exit(str(error))
    # So that the first file need not wait for it.
    threading.Thread(target=app.state.outside.start, name="outside", daemon=True).start()
    return app


def _raise_descriptors() -> None:
    """Lets this process open as many files as the system lets it ask for, up to what it may need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main()
