"""What a request says in its headers, looked up by name once for all who ask."""

from __future__ import annotations

from starlette.types import Scope


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
