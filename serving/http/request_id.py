"""A request id for each request: the caller's, or a new one."""

from __future__ import annotations

import re
import secrets
from itertools import count

from starlette.types import Scope

from serving.headers import header

# Random for each process, then counted: asking for random bytes takes longer than reading the request.
PROCESS, NUMBERS = secrets.token_hex(8), count()
HEADER_BYTES = b"x-request-id"
ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id(scope: Scope) -> str:
    """The id of a request. One that the caller sent is taken if it is short and plain."""
    state = scope["state"]
    identifier: str | None = state.get("request_id")
    if identifier is None:
        identifier = state["request_id"] = _sent(scope) or f"{PROCESS}{next(NUMBERS):016x}"
    return identifier


def _sent(scope: Scope) -> str | None:
    sent = header(scope, HEADER_BYTES)
    return str(sent, "ascii") if sent is not None and ACCEPTED.fullmatch(sent) else None
