"""A request id for each request: the caller's, or a new one."""

from __future__ import annotations

import re
import secrets
from itertools import count

from starlette.types import Scope

# Random for each process, then counted: asking for random bytes takes longer than reading the request.
PROCESS, NUMBERS = secrets.token_hex(8), count()
REQUEST_ID_HEADER = "X-Request-ID"
HEADER_BYTES = REQUEST_ID_HEADER.lower().encode()
ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id(scope: Scope) -> str:
    """The id of a request. One that the caller sent is taken if it is short and plain."""
    state = scope.setdefault("state", {})
    identifier: str | None = state.get("request_id")
    if identifier is None:
        identifier = state["request_id"] = _sent(scope) or f"{PROCESS}{next(NUMBERS):016x}"
    return identifier


def _sent(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == HEADER_BYTES:
            return str(value, "ascii") if ACCEPTED.fullmatch(value) else None
    return None
