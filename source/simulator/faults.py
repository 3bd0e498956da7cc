"""What goes wrong between the service and its clients, each fault an ASGI application around another.

A fault other than `failing` meets an answer that the service has given: the counter has advanced, and what is
cut or comes too late cannot be asked for again if it was the last batch.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random
from typing import Any

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from source.simulator.journal import IS_CUT, SERVED, Journal
from source.simulator.settings import SimulatorSettings

# A slow body comes in so many pieces a second.
PIECES_PER_S = 10


class HungUp(Exception):
    """The client has gone before there was an answer to send."""


def on_data(app: ASGIApp, settings: SimulatorSettings, journal: Journal | None) -> ASGIApp:
    """Lets faults meet `/data` and nothing else: a health check stays a health check."""
    faulty = with_faults(app, settings, journal)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        is_data = scope["type"] == "http" and scope["path"] == "/data"
        with suppress(HungUp):
            await (faulty if is_data else app)(scope, receive, send)

    return answer


def with_faults(app: ASGIApp, settings: SimulatorSettings, journal: Journal | None) -> ASGIApp:
    """Puts what the settings switch on around the service: what is first is nearest to it.

    The journal stands where an answer is sure to be sent, and has sent no byte yet.
    """
    if settings.error_share:
        app = failing(app, settings.error_share, _drawn(settings, "error"))
    if settings.wrong_type_share:
        app = mistyped(app, settings.wrong_type_share, _drawn(settings, "type"))
    if settings.latency_s:
        app = late(app, 1, _drawn(settings, "latency"), settings.latency_s)
    if settings.timeout_share:
        app = late(app, settings.timeout_share, _drawn(settings, "timeout"), settings.timeout_s)
    if journal:
        app = journaled(app, journal)
    if settings.cut_share:
        app = cut(app, settings.cut_share, _drawn(settings, "cut"))
    return slow(app, settings.slow_bytes_per_s) if settings.slow_bytes_per_s else app


def failing(app: ASGIApp, share: float, drawn: Random) -> ASGIApp:
    """Answers 500 in the service's stead, as a proxy in front of it would."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        failed = PlainTextResponse("Internal Server Error", status_code=500)
        await (failed if drawn.random() < share else app)(scope, receive, send)

    return answer


def mistyped(app: ASGIApp, share: float, drawn: Random) -> ASGIApp:
    """Says that an answer is HTML; its body stays what it is."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        given = await _answered(app, scope, receive)
        if drawn.random() < share:
            given.headers["content-type"] = "text/html; charset=utf-8"
        await given(scope, receive, send)

    return answer


def late(app: ASGIApp, share: float, drawn: Random, seconds: float) -> ASGIApp:
    """Holds an answer back; a client that gives up before then gets none."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        given = await _answered(app, scope, receive)
        if drawn.random() < share and await _hangs_up(receive, seconds):
            raise HungUp
        await given(scope, receive, send)

    return answer


def journaled(app: ASGIApp, journal: Journal) -> ASGIApp:
    """Records each batch before the first byte of its answer is sent."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        given = await _answered(app, scope, receive)
        if given.status_code == 200:
            state = scope["state"]
            journal.record(state[SERVED], bytes(given.body), is_cut=state.get(IS_CUT, False))
        await given(scope, receive, send)

    return answer


def cut(app: ASGIApp, share: float, drawn: Random) -> ASGIApp:
    """Promises a whole body, sends its beginning and closes the connection."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        is_cut = drawn.random() < share
        scope.setdefault("state", {})[IS_CUT] = is_cut
        if not is_cut:
            await app(scope, receive, send)
            return
        given = await _answered(app, scope, receive)
        start = {"type": "http.response.start", "status": given.status_code, "headers": given.raw_headers}
        await send(start)
        # The server closes the connection of an application that returns before it has sent everything.
        await _send_piece(bytes(given.body)[: drawn.randrange(len(given.body))], send, has_more=True)

    return answer


def slow(app: ASGIApp, bytes_per_s: int) -> ASGIApp:
    """Sends a body little by little, until the client has enough of it."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def trickle(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
                return
            body, size = message.get("body", b""), max(1, bytes_per_s // PIECES_PER_S)
            for first in range(0, len(body), size):
                piece = body[first : first + size]
                if await _hangs_up(receive, len(piece) / bytes_per_s):
                    return
                await _send_piece(piece, send, has_more=True)
            await _send_piece(b"", send, has_more=message.get("more_body", False))

        await app(scope, receive, trickle)

    return answer


def _drawn(settings: SimulatorSettings, fault: str) -> Random:
    """Returns chance of a fault's own: one more fault moves no other. The same seed draws the same."""
    return Random(None if settings.seed is None else f"{settings.seed} {fault}")  # noqa: S311  # no secret


async def _answered(app: ASGIApp, scope: Scope, receive: Receive) -> Response:
    """Has the application answer, and sends nothing."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    start, *rest = messages
    given = Response(b"".join(message.get("body", b"") for message in rest), start["status"])
    given.raw_headers = list(start.get("headers", []))
    return given


async def _send_piece(piece: bytes, send: Send, *, has_more: bool) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": has_more})


async def _hangs_up(receive: Receive, within_s: float) -> bool:
    """Waits that long, or until the client has gone. Returns: whether it has."""
    try:
        async with asyncio.timeout(within_s):
            message: Any = {}
            while message.get("type") != "http.disconnect":
                message = await receive()
    except TimeoutError:
        return False
    return True
