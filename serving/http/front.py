"""The way in: every request gets its id, its key is looked at, and every reply its headers."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.hosts import HostRule
from contracts.started import HEADER, HEALTH, started_as
from serving.auth.doors import Doors
from serving.http import api_page
from serving.http.metrics import Metrics
from serving.http.problems import is_expected, problem_of
from serving.http.request_id import HEADER_BYTES, request_id

PREDICTIONS, BATCH = "/v1/predictions", "/v1/predictions:batch"
KEPT = "/v1/"
# Paths by which requests are counted; others would let a stranger make as many counters as he likes.
COUNTED = frozenset({PREDICTIONS, BATCH, "/v1/model", "/v1/model:reload", "/live", "/ready", "/metrics"})
SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
# Only the page of the API needs scripts and styles.
POLICIES = {api_page.PATH: api_page.POLICY.encode()}
NO_CONTENT = b"default-src 'none'; frame-ancestors 'none'"


class Front:
    """Outermost of the application's own layers."""

    def __init__(
        self, app: ASGIApp, doors: Doors, endpoints: Mapping[str, ASGIApp], metrics: Metrics, hosts: HostRule
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._doors = doors
        self._endpoints = endpoints
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        reply = self._replying(scope, path, send)
        try:
            if (reason := self._hosts.refusal(scope)) is not None:
                raise HTTPException(HTTPStatus.MISDIRECTED_REQUEST, reason)
            if path.startswith(KEPT):
                state = scope.setdefault("state", {})
                state["key"] = await self._doors.admit(scope)
            # The framework's own way to a route takes longer than the model does.
            app = self._endpoints.get(path, self._app) if scope["method"] == "POST" else self._app
            await app(scope, receive, reply)
        except Exception as error:
            if not is_expected(error):
                raise
            await problem_of(scope, error)(scope, receive, reply)

    def _replying(self, scope: Scope, path: str, send: Send) -> Send:
        policy = (b"content-security-policy", POLICIES.get(path, NO_CONTENT))
        own = [(HEADER_BYTES, request_id(scope).encode()), *SECURITY, policy]
        if path in HEALTH:
            own.append((HEADER.lower().encode(), started_as().encode()))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*_others(message["headers"]), *own]
                self._count(path, message["status"])
            await send(message)

        return send_with_headers

    def _count(self, path: str, status: int) -> None:
        if path == PREDICTIONS and status == 200:
            return  # counted with its rows, as it is logged
        self._metrics.requests.labels(path if path in COUNTED else "other", str(status)).inc()


def _others(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [pair for pair in headers if pair[0] != HEADER_BYTES]
