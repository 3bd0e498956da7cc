"""A request id for each request: the caller's, or a new one."""

from __future__ import annotations

import re
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID_HEADER = "X-Request-ID"
HEADER_BYTES = REQUEST_ID_HEADER.lower().encode()
ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Repeats the request id in each reply's header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, with its id noted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        header = (HEADER_BYTES, request_id(scope).encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [pair for pair in message["headers"] if pair[0] != HEADER_BYTES]
                message["headers"] = [*others, header]
            await send(message)

        await self._app(scope, receive, send_with_id)


def request_id(scope: Scope) -> str:
    """The id of a request. One that the caller sent is taken if it is short and plain."""
    state = scope.setdefault("state", {})
    if "request_id" not in state:
        sent = next((value for name, value in scope["headers"] if name == HEADER_BYTES), b"")
        state["request_id"] = sent.decode() if ACCEPTED.fullmatch(sent) else uuid4().hex
    identifier: str = state["request_id"]
    return identifier
