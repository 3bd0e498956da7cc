"""What a request says in its headers, looked up by name once for all who ask; its id among them."""

from __future__ import annotations

import re
import secrets
from itertools import count

from starlette.types import Scope

# Random for each process, then counted: asking for random bytes takes longer than reading the request.
PROCESS, NUMBERS = secrets.token_hex(8), count()
REQUEST_ID = b"x-request-id"
ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def header(scope: Scope, name: bytes) -> bytes | None:
    """Returns a header's first value, or None.

    Args:
        scope: Of the request.
        name: In lower case, as ASGI has it.
    """
    state = scope.setdefault("state", {})
    values: dict[bytes, bytes] | None = state.get("headers")
    if values is None:
        values = state["headers"] = dict(reversed(scope["headers"]))
    return values.get(name)


def request_id(scope: Scope) -> str:
    """Returns the id of a request: the caller's if it is short and plain, or a new one."""
    identifier: str | None = scope["state"].get("request_id")
    if identifier is None:
        sent = header(scope, REQUEST_ID)
        is_taken = sent is not None and ACCEPTED.fullmatch(sent)
        identifier = str(sent, "ascii") if is_taken and sent else f"{PROCESS}{next(NUMBERS):016x}"
        scope["state"]["request_id"] = identifier
    return identifier
