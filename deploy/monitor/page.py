"""The monitor's own port: `/metrics` for Prometheus, `/alerts` for the UI, `/live`."""

from __future__ import annotations

import json
from functools import partial
from http import HTTPStatus
from typing import Any

from contracts.hosts import OWN
from deploy.access.guarded import BoundedServer, GuardedHandler
from deploy.monitor.figures import CONTENT_TYPE
from deploy.monitor.kinds import KINDS
from deploy.monitor.monitor import Monitor

JSON = "application/json"


class _Handler(GuardedHandler):
    """It reads, and answers nothing but GET."""

    server_version, sys_version = "canopy", ""

    def __init__(self, *arguments: Any, monitor: Monitor, allowed: frozenset[str]) -> None:
        self._monitor = monitor
        self.allowed = allowed
        super().__init__(*arguments)

    def do_GET(self) -> None:  # noqa: N802
        """One of the three pages."""
        pages = {"/metrics": self._metrics, "/alerts": self._alerts, "/live": self._live}
        page = pages.get(self.path.partition("?")[0])
        if page is None:
            self._say(HTTPStatus.NOT_FOUND, "text/plain", b"There are /metrics, /alerts and /live.\n")
        else:
            page()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nobody wants to read of each scrape."""

    def _metrics(self) -> None:
        self._say(HTTPStatus.OK, CONTENT_TYPE, self._monitor.page)

    def _alerts(self) -> None:
        looked_at = self._monitor.looked_at
        alerts = [
            {
                "kind": one.kind,
                "title": KINDS[one.kind].title,
                "subject": one.subject,
                "text": one.text,
                "began_at": one.began_at.isoformat(),
                "is_urgent": KINDS[one.kind].is_urgent,
            }
            for one in self._monitor.active
        ]
        body = {"looked_at": looked_at.isoformat() if looked_at else None, "alerts": alerts}
        self._say(HTTPStatus.OK, JSON, json.dumps(body, ensure_ascii=False).encode())

    def _live(self) -> None:
        self._say(HTTPStatus.OK, "text/plain", b"Well.\n")

    def _say(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def make_server(monitor: Monitor, host: str, port: int, allowed: frozenset[str] = OWN) -> BoundedServer:
    """A server that listens and has yet to be run."""
    return BoundedServer((host, port), partial(_Handler, monitor=monitor, allowed=allowed))
