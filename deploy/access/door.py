"""The proxy's sign-in: answers whether a request may go on to a page that has none of its own."""

from __future__ import annotations

import argparse
import base64
import hmac
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from contracts.hosts import OWN, allowed_hosts
from contracts.stack_settings import StackSettings
from deploy.access.guarded import BoundedServer, GuardedHandler
from deploy.access.tries import WINDOW_S, Tries, through_proxy
from deploy.secrets import USER

PORT = 8099


class _Handler(GuardedHandler):
    """200: let in; 401: sign in; 429: wait."""

    def __init__(self, *arguments: Any, password: str, tries: Tries, allowed: frozenset[str]) -> None:
        self.allowed = allowed
        self._expected = f"{USER}:{password}".encode()
        self._tries = tries
        super().__init__(*arguments)

    def do_GET(self) -> None:  # noqa: N802
        """Looks at the sign-in of the request that the proxy asks about."""
        if self.path == "/live":
            self._say(HTTPStatus.OK)
            return
        who = through_proxy(self.headers.get("X-Forwarded-For")) or self.client_address[0]
        given = self.headers.get("Authorization")
        if given is None:
            self._say(HTTPStatus.UNAUTHORIZED, ("WWW-Authenticate", 'Basic realm="canopy", charset="UTF-8"'))
        elif self._tries.are_spent(who):
            self._say(HTTPStatus.TOO_MANY_REQUESTS, ("Retry-After", str(WINDOW_S)))
        elif hmac.compare_digest(_decoded(given), self._expected):
            self._say(HTTPStatus.OK)
        else:
            self._tries.refused(who)
            self._say(HTTPStatus.UNAUTHORIZED, ("WWW-Authenticate", 'Basic realm="canopy", charset="UTF-8"'))

    def log_message(self, format: str, *arguments: Any) -> None:
        """The proxy has a log; this would tell of each file of a page."""

    def _say(self, status: HTTPStatus, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", "0")):
            self.send_header(name, value)
        self.end_headers()


def make_server(host: str, port: int, password: str, allowed: frozenset[str] = OWN) -> BoundedServer:
    """A server that listens and has yet to be run."""
    return BoundedServer((host, port), partial(_Handler, password=password, tries=Tries(), allowed=allowed))


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--password", type=Path, default=Path("/run/secrets/proxy_password"))
    given = parser.parse_args()
    allowed = allowed_hosts(StackSettings().allowed_hosts)
    with make_server(given.host, given.port, given.password.read_text().strip(), allowed) as server:
        server.serve_forever()


def _decoded(header: str) -> bytes:
    kind, _, encoded = header.partition(" ")
    try:
        return base64.b64decode(encoded, validate=True) if kind.lower() == "basic" else b""
    except ValueError:
        return b""


if __name__ == "__main__":
    main()
