"""A response's body, read piece by piece and bounded: as it comes over the wire, and unpacked."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator

import httpx

PIECE = 64 * 2**10
# Asked for are plain bytes; what is packed all the same is unpacked within the bound, if it is one of these.
UNPACKED = ("gzip", "x-gzip", "deflate")
EITHER_HEADER = 32 + zlib.MAX_WBITS  # gzip's or zlib's, whichever is there


class TooLarge(Exception):
    """A body has more bytes than are taken."""


class NotUnpacked(Exception):
    """A body is not packed as it says."""


def receive_bounded(
    response: httpx.Response, write: Callable[[bytes], None], most: int, deadline: float
) -> str | None:
    """Hands on what arrives, unpacked, and closes the response.

    Args:
        response: Opened to be streamed.
        write: Takes the next piece; an OSError of it, such as of a full disk, ends the body.
        most: Bytes at most, counted over the wire and unpacked.
        deadline: When it must be at its end, by `time.monotonic`.

    Returns: why the rest did not arrive; None where everything did.
    Raises: TooLarge, with what is within the bound handed on.
    """
    try:
        for piece in _unpacked(response, most):
            write(piece)
            if time.monotonic() > deadline:
                return "the response did not end within SOURCE_BUDGET_S"
    except httpx.RequestError as error:
        return reason(error)
    except NotUnpacked as error:
        return str(error)
    except OSError as error:
        return f"it could not be kept ({error.strerror or error}; SOURCE_INCOMING)"
    finally:
        response.close()
    return None


def reason(error: httpx.RequestError) -> str:
    """Returns what went wrong, by its kind and in httpx's words."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _unpacked(response: httpx.Response, most: int) -> Iterator[bytes]:
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    raw = _bounded(response.iter_raw(), most, "bytes came")
    # Packed in another way it is taken as it is: it will not fit the contract, and is kept byte for byte.
    yield from _bounded(_inflated(raw), most, "bytes it unpacks to") if packing in UNPACKED else raw


def _bounded(pieces: Iterator[bytes], most: int, what: str) -> Iterator[bytes]:
    left = most
    for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left < 0:
            raise TooLarge(f"it is larger than SOURCE_RESPONSE_BYTES={most} ({what})")


def _inflated(packed: Iterator[bytes]) -> Iterator[bytes]:
    """Unpacks in pieces of a bounded size, however much a few bytes stand for."""
    inflater = zlib.decompressobj(EITHER_HEADER)
    for piece in packed:
        rest = piece
        while rest:
            if inflater.eof:
                inflater = zlib.decompressobj(EITHER_HEADER)  # gzip may have several members
            try:
                yield inflater.decompress(rest, PIECE)
            except zlib.error as error:
                raise NotUnpacked(f"it is not packed as it says: {error}") from error
            rest = inflater.unused_data or inflater.unconsumed_tail
    if not inflater.eof:
        raise NotUnpacked("it is packed, and breaks off before its end")
