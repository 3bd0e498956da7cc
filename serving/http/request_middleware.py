"""The way in: every request gets its id and its key is looked at; every reply its headers, an error too."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.hosts import HostRule
from contracts.started import HEADER, HEALTH, started_as
from serving.auth.api_key_auth import ApiKeyAuth
from serving.headers import REQUEST_ID, request_id
from serving.http import api_page
from serving.http.metrics import Metrics
from serving.http.problems import EXPECTED, internal_problem, problem_of

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


class RequestMiddleware:
    """Outermost of all layers: the framework's own way to an endpoint takes longer than the model does."""

    def __init__(
        self,
        app: ASGIApp,
        auth: ApiKeyAuth,
        endpoints: Mapping[str, ASGIApp],
        metrics: Metrics,
        hosts: HostRule,
    ) -> None:
        """Takes the framework's application, and what is asked by POST without it, by path."""
        self._app = app
        self._hosts = hosts
        self._auth = auth
        self._endpoints = endpoints
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        reply = _Reply(scope, path, send, self._metrics)
        asked = self._endpoints.get(path, self._app) if scope["method"] == "POST" else self._app
        try:
            if (reason := self._hosts.refusal(scope)) is not None:
                raise HTTPException(HTTPStatus.MISDIRECTED_REQUEST, reason)
            if path.startswith(KEPT):
                scope["state"]["key"] = await self._auth.authenticate(scope)
            await asked(scope, receive, reply)
        except Exception as error:
            if isinstance(error, EXPECTED):
                await problem_of(scope, error)(scope, receive, reply)
                return
            if not reply.is_begun:
                await internal_problem(scope, error)(scope, receive, reply)
            raise


class _Reply:
    """How a reply is sent: with the headers that each has, and counted."""

    __slots__ = ("_metrics", "_own", "_path", "_send", "is_begun")

    def __init__(self, scope: Scope, path: str, send: Send, metrics: Metrics) -> None:
        self._path, self._send, self._metrics = path, send, metrics
        self.is_begun = False
        policy = (b"content-security-policy", POLICIES.get(path, NO_CONTENT))
        self._own = [(REQUEST_ID, request_id(scope).encode()), *SECURITY, policy]
        if path in HEALTH:
            self._own.append((HEADER.lower().encode(), started_as().encode()))

    async def __call__(self, message: Message) -> None:
        """Passes on a piece of the reply."""
        if message["type"] == "http.response.start":
            self.is_begun = True
            message["headers"] = [*message["headers"], *self._own]
            # What is predicted is counted with its rows, as it is logged.
            if message["status"] != 200 or self._path != PREDICTIONS:
                path = self._path if self._path in COUNTED else "other"
                self._metrics.requests.labels(path, str(message["status"])).inc()
        await self._send(message)
