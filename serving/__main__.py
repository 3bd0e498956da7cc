"""`python -m serving`: the prediction service, on the address of its settings."""

from __future__ import annotations

import logging
import os
import sys
import tempfile

import uvicorn

from contracts.errors import CanopyError
from serving.protocol import OnePiece
from serving.settings import ServingSettings

# Connections may come from people who keep them open and send nothing.
KEEP_ALIVE_S = 30
STOP_WITHIN_S = 20


def main() -> None:
    """Serves until it is told to end."""
    settings = ServingSettings()
    with tempfile.TemporaryDirectory(prefix="canopy-metrics-") as shared:
        if settings.workers > 1:
            # Read by prometheus_client when it is imported: before the application is.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
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
            http=OnePiece,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=STOP_WITHIN_S,
        )


def application() -> object:
    """The application of one worker."""
    from serving.app import create_app

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # The champion says once that the registry is away; its HTTP client would say so at each poll.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        return create_app()
    except CanopyError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
