"""uvicorn with bounded connections, by a command: `python -m deploy.servers.bounded_server`."""

from __future__ import annotations

from runpy import run_module

from contracts.http_protocol import bound_servers


def main() -> None:
    """Runs `uvicorn` with the same arguments."""
    bound_servers()
    run_module("uvicorn", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
