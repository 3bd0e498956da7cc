"""The body of a request: bounded in bytes and in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from serving.headers import header

JSON = "application/json"
JSON_BYTES = JSON.encode()
LOOKS = 20


def content_type(scope: Scope, default: str = JSON) -> str:
    """Returns what the request says that its body is, without parameters, in lower case."""
    sent = header(scope, b"content-type")
    if sent == JSON_BYTES:
        return JSON
    return default if sent is None else sent.partition(b";")[0].strip().lower().decode("latin-1")


class Bodies:
    """Takes in the bodies of one path.

    One timer watches over all that are on their way: `asyncio.timeout` would start and stop one for each,
    which takes longer than to read it, and nearly every body is there before it is asked for.
    """

    def __init__(self, limit_bytes: int, within_s: float) -> None:
        """Args: what a body may weigh, and the seconds in which all of it must have come."""
        self._limit_bytes = limit_bytes
        self._within_s = within_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._until: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._is_looking = False

    async def whole(self, scope: Scope, receive: Receive) -> bytes:
        """Returns the whole body. Raises: as `take`."""
        pieces: list[bytes] = []
        await self.take(scope, receive, pieces.append)
        return b"".join(pieces)

    async def take(self, scope: Scope, receive: Receive, keep: Callable[[bytes], object]) -> None:
        """Takes in a body, piece by piece as it comes.

        Args:
            scope: Of the request.
            receive: Of the request.
            keep: Is given each piece.

        Raises: HTTPException with 413, or with 408 up to a twentieth late; ClientDisconnect.
        """
        length = header(scope, b"content-length")
        if length is not None and length.isdigit() and int(length[:20]) > self._limit_bytes:
            raise self._too_large()
        task = self._watch()
        try:
            await self._take(receive, keep)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise self._too_slow() from None
        finally:
            del self._until[task]
            self._late.discard(task)

    async def _take(self, receive: Receive, keep: Callable[[bytes], object]) -> None:
        size, is_more = 0, True
        while is_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece, is_more = message.get("body", b""), message.get("more_body", False)
            size += len(piece)
            if size > self._limit_bytes:
                raise self._too_large()
            keep(piece)

    def _watch(self) -> asyncio.Task[object]:
        loop = self._loop = running_loop(self._loop)
        task: asyncio.Task[object] = asyncio.current_task(loop)  # type: ignore[assignment]  # requests are tasks
        if not self._is_looking:
            self._is_looking = True
            loop.call_later(self._within_s / LOOKS, self._look, loop)
        self._until[task] = loop.time() + self._within_s
        return task

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        late = [task for task, until in self._until.items() if until <= now and task not in self._late]
        self._late.update(late)
        for task in late:
            task.cancel()
        self._is_looking = bool(self._until)
        if self._is_looking:
            loop.call_later(self._within_s / LOOKS, self._look, loop)

    def _too_large(self) -> HTTPException:
        detail = f"The body is larger than {self._limit_bytes} bytes. Send fewer rows at a time."
        return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)

    def _too_slow(self) -> HTTPException:
        detail = f"The body did not come within {self._within_s:g} s. Send it faster, or less of it."
        return HTTPException(HTTPStatus.REQUEST_TIMEOUT, detail)


def running_loop(known: asyncio.AbstractEventLoop | None) -> asyncio.AbstractEventLoop:
    """Returns the same as before, if it still runs: to look it up, Python 3.11 asks the system for the
    process id."""
    return known if known is not None and known.is_running() else asyncio.get_running_loop()
