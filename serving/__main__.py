"""`python -m serving`: the prediction service, on the address of its settings."""

from __future__ import annotations

import logging

import uvicorn

from serving.app import create_app
from serving.settings import ServingSettings


def main() -> None:
    """Serves until it is told to end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # The champion says once that the registry is away; its HTTP client would say so at each poll.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    settings = ServingSettings()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
