"""The proxy's sign-in: answers whether a request may go on to a page that has none of its own."""

from __future__ import annotations

import argparse
import base64
import hmac
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn import Server

from contracts.hosts import OWN, allowed_hosts
from contracts.stack_settings import StackSettings
from deploy.access.server import bounded_server, run
from deploy.access.tries import WINDOW_S, Tries, through_proxy
from deploy.secrets import USER

PORT = 8099
SIGN_IN = {"WWW-Authenticate": 'Basic realm="canopy", charset="UTF-8"'}


def make_server(host: str, port: int, password: str, allowed: frozenset[str] = OWN) -> Server:
    """Returns a server that answers 200 (let in), 401 (sign in) or 429 (wait), and has yet to be run."""
    expected, tries = f"{USER}:{password}".encode(), Tries()

    async def judge(request: Request) -> Response:
        given = request.headers.get("Authorization")
        if given is None:
            return Response(status_code=401, headers=SIGN_IN)
        direct = request.client.host if request.client else ""
        who = through_proxy(request.headers.get("X-Forwarded-For")) or direct
        if tries.are_spent(who):
            return Response(status_code=429, headers={"Retry-After": str(WINDOW_S)})
        if hmac.compare_digest(_decoded(given), expected):
            return Response()
        tries.refused(who)
        return Response(status_code=401, headers=SIGN_IN)

    async def live(_request: Request) -> Response:
        return Response()

    routes = [Route("/live", live), Route("/{path:path}", judge)]
    return bounded_server(Starlette(routes=routes), host, port, allowed)


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--password", type=Path, default=Path("/run/secrets/proxy_password"))
    given = parser.parse_args()
    allowed = allowed_hosts(StackSettings().allowed_hosts)
    run(make_server(given.host, given.port, given.password.read_text().strip(), allowed))


def _decoded(header: str) -> bytes:
    kind, _, encoded = header.partition(" ")
    try:
        return base64.b64decode(encoded, validate=True) if kind.lower() == "basic" else b""
    except ValueError:
        return b""


if __name__ == "__main__":
    main()
