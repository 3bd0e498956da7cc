"""Airflow's API server with bounded connections: `python -m deploy.servers.airflow_api_server`."""

from __future__ import annotations

import sys
from importlib import import_module

from contracts.http_protocol import bound_servers


def main() -> None:
    """Runs `airflow api-server` with the same arguments; of more than one worker, none would be bounded."""
    bound_servers()
    sys.argv[1:1] = ["api-server"]
    import_module("airflow.__main__").main()


if __name__ == "__main__":
    main()
