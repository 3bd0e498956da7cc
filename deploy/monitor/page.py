"""The monitor's own port: `/metrics` for Prometheus, `/alerts` for the UI, `/live`."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from uvicorn import Server

from contracts.hosts import OWN
from deploy.access.server import bounded_server
from deploy.monitor.figures import CONTENT_TYPE
from deploy.monitor.kinds import KINDS
from deploy.monitor.monitor import Monitor

FRESH = {"Cache-Control": "no-store"}


def make_server(monitor: Monitor, host: str, port: int, allowed: frozenset[str] = OWN) -> Server:
    """Returns a server of the three pages that has yet to be run."""

    async def metrics(_request: Request) -> Response:
        return Response(monitor.page, headers=FRESH, media_type=CONTENT_TYPE)

    async def alerts(_request: Request) -> Response:
        return JSONResponse(_alerts(monitor), headers=FRESH)

    async def live(_request: Request) -> Response:
        return PlainTextResponse("Well.\n", headers=FRESH)

    async def absent(_request: Request, _error: Exception) -> Response:
        return PlainTextResponse("There are /metrics, /alerts and /live.\n", 404, headers=FRESH)

    routes = [Route(f"/{page.__name__}", page) for page in (metrics, alerts, live)]
    app = Starlette(routes=routes, exception_handlers={404: absent})
    return bounded_server(app, host, port, allowed)


def _alerts(monitor: Monitor) -> dict[str, Any]:
    looked_at = monitor.looked_at
    alerts = [
        {
            "kind": one.kind,
            "title": KINDS[one.kind].title,
            "subject": one.subject,
            "text": one.text,
            "began_at": one.began_at.isoformat(),
            "is_urgent": KINDS[one.kind].is_urgent,
        }
        for one in monitor.active
    ]
    return {"looked_at": looked_at.isoformat() if looked_at else None, "alerts": alerts}
