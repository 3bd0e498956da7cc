"""A request id for each request: the caller's, or a new one."""

from __future__ import annotations

import re
from uuid import uuid4

from starlette.types import Scope

REQUEST_ID_HEADER = "X-Request-ID"
HEADER_BYTES = REQUEST_ID_HEADER.lower().encode()
ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id(scope: Scope) -> str:
    """The id of a request. One that the caller sent is taken if it is short and plain."""
    state = scope.setdefault("state", {})
    if "request_id" not in state:
        sent = next((value for name, value in scope["headers"] if name == HEADER_BYTES), b"")
        state["request_id"] = sent.decode() if ACCEPTED.fullmatch(sent) else uuid4().hex
    identifier: str = state["request_id"]
    return identifier
