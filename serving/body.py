"""The body of a request: bounded, JSON, nothing else."""

from __future__ import annotations

from http import HTTPStatus

from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import Request

JSON = "application/json"


async def read_json(request: Request, limit_bytes: int) -> object:
    """The JSON value that a request carries; NaN and Infinity are not JSON.

    Raises: HTTPException with 413, 415 or 400.
    """
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind != JSON:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The content type {kind[:80]!r} is not accepted. Send JSON, with Content-Type: {JSON}.",
        )
    body = await _read(request, limit_bytes)
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"The body is not JSON: {error}.") from None


async def _read(request: Request, limit_bytes: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise _too_large(limit_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise _too_large(limit_bytes)
    return bytes(body)


def _too_large(limit_bytes: int) -> HTTPException:
    detail = f"The body is larger than {limit_bytes} bytes. Send fewer rows at a time."
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
