"""Serves the UI with bounded connections: `python -m ui`, with the options of `streamlit run`."""

from __future__ import annotations

import sys
from pathlib import Path

from streamlit.web.cli import main as streamlit

from contracts.http_protocol import bound_servers


def main() -> None:
    """Runs Streamlit, which starts its web server in this process and has no setting for its connections."""
    bound_servers(websockets=True)
    streamlit(["run", str(Path(__file__).with_name("server.py")), *sys.argv[1:]], prog_name="streamlit")


if __name__ == "__main__":
    main()
