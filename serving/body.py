"""The body of a request: bounded in bytes and in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

JSON = "application/json"


def content_type(scope: Scope, default: str = JSON) -> str:
    """What the request says that its body is, without parameters, in lower case."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            sent: bytes = value
            return sent.partition(b";")[0].strip().lower().decode("latin-1")
    return default


async def take(
    scope: Scope, receive: Receive, limit_bytes: int, timeout_s: float, keep: Callable[[bytes], object]
) -> None:
    """Takes in the body, piece by piece as it comes.

    Args:
        scope: Of the request.
        receive: Of the request.
        limit_bytes: What it may weigh.
        timeout_s: Seconds in which all of it must have come.
        keep: Is given each piece.

    Raises: HTTPException with 413 or 408; ClientDisconnect.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value[:20]) > limit_bytes:
            raise too_large(limit_bytes)
    size, is_more = 0, True
    try:
        async with asyncio.timeout(timeout_s):
            while is_more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                piece, is_more = message.get("body", b""), message.get("more_body", False)
                size += len(piece)
                if size > limit_bytes:
                    raise too_large(limit_bytes)
                keep(piece)
    except TimeoutError:
        detail = f"The body did not come within {timeout_s:g} s. Send it faster, or less of it."
        raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, detail) from None


async def whole(scope: Scope, receive: Receive, limit_bytes: int, timeout_s: float) -> bytes:
    """The whole body. Raises: as `take`."""
    pieces: list[bytes] = []
    await take(scope, receive, limit_bytes, timeout_s, pieces.append)
    return b"".join(pieces)


def too_large(limit_bytes: int) -> HTTPException:
    """What a body gets that is too large."""
    detail = f"The body is larger than {limit_bytes} bytes. Send fewer rows at a time."
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
