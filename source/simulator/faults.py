"""What goes wrong between the service and its clients, each fault an ASGI application around another.

A fault other than `Failing` meets an answer that the service has given: the counter has advanced, and what is
cut or comes too late cannot be asked for again if it was the last batch.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from source.simulator.answers import Answer, answered, hangs_up, send_piece, send_start, send_whole
from source.simulator.journal import IS_CUT, Journal, Journaled
from source.simulator.settings import SimulatorSettings

Wrap = Callable[[ASGIApp], ASGIApp]
# A slow body comes in so many pieces a second.
PIECES_PER_S = 10


class Chance:
    """Says which requests are met, a share of them."""

    def __init__(self, share: float, seed: int | None, fault: str) -> None:
        """Args:
        share: Of the requests, 0 to 1.
        seed: The same one meets the same requests; None draws anew at each start.
        fault: Each fault draws for itself: one more of them moves no other.
        """
        self._share = share
        self._random = random.Random(None if seed is None else f"{seed} {fault}")  # noqa: S311  # no secret

    def strikes(self) -> bool:
        """Draws once."""
        return self._random.random() < self._share

    def part_of(self, length: int) -> int:
        """Draws a length that is shorter, perhaps none at all."""
        return self._random.randrange(length)


class HungUp(Exception):
    """The client has gone before there was an answer to send."""


class OnData:
    """Lets faults meet `/data` and nothing else: a health check stays a health check."""

    def __init__(self, app: ASGIApp, wrap: Wrap) -> None:
        self._app = app
        self._wrapped = wrap(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_data = scope["type"] == "http" and scope["path"] == "/data"
        with suppress(HungUp):
            await (self._wrapped if is_data else self._app)(scope, receive, send)


class Failing:
    """Answers 500 in the service's stead, as a proxy in front of it would."""

    def __init__(self, app: ASGIApp, chance: Chance) -> None:
        self._app = app
        self._chance = chance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        failed = PlainTextResponse("Internal Server Error", status_code=500)
        await (failed if self._chance.strikes() else self._app)(scope, receive, send)


class Mistyped:
    """Says that an answer is HTML; its body stays what it is."""

    def __init__(self, app: ASGIApp, chance: Chance) -> None:
        self._app = app
        self._chance = chance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await answered(self._app, scope, receive)
        if self._chance.strikes():
            others = [(name, value) for name, value in answer.headers if name != b"content-type"]
            headers = [*others, (b"content-type", b"text/html; charset=utf-8")]
            answer = Answer(answer.status, headers, answer.body)
        await send_whole(answer, send)


class Late:
    """Holds an answer back; a client that gives up before then gets none."""

    def __init__(self, app: ASGIApp, chance: Chance, seconds: float) -> None:
        self._app = app
        self._chance = chance
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await answered(self._app, scope, receive)
        if self._chance.strikes() and await hangs_up(receive, self._seconds):
            raise HungUp
        await send_whole(answer, send)


class Cut:
    """Promises a whole body, sends its beginning and closes the connection."""

    def __init__(self, app: ASGIApp, chance: Chance) -> None:
        self._app = app
        self._chance = chance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_cut = self._chance.strikes()
        scope.setdefault("state", {})[IS_CUT] = is_cut
        if not is_cut:
            await self._app(scope, receive, send)
            return
        answer = await answered(self._app, scope, receive)
        await send_start(answer, send)
        # The server closes the connection of an application that returns before it has sent everything.
        await send_piece(answer.body[: self._chance.part_of(len(answer.body))], send, has_more=True)


class Slow:
    """Sends a body little by little, until the client has enough of it."""

    def __init__(self, app: ASGIApp, bytes_per_s: int) -> None:
        self._app = app
        self._bytes_per_s = bytes_per_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def trickle(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
                return
            body, has_more = message.get("body", b""), message.get("more_body", False)
            size = max(1, self._bytes_per_s // PIECES_PER_S)
            for first in range(0, len(body), size):
                piece = body[first : first + size]
                if await hangs_up(receive, len(piece) / self._bytes_per_s):
                    return
                await send_piece(piece, send, has_more=True)
            await send_piece(b"", send, has_more=has_more)

        await self._app(scope, receive, trickle)


def faults_of(settings: SimulatorSettings) -> Wrap:
    """What the settings switch on, from the service outwards: what is first is nearest to it.

    The journal stands where an answer is sure to be sent, and has sent no byte yet.
    Raises: SettingsInvalid if the journal cannot be written.
    """
    journal = Journal(settings.journal) if settings.journal else None
    wraps = [wrap for is_on, wrap in (*_of_answers(settings), *_of_bodies(settings, journal)) if is_on]

    def wrapped(app: ASGIApp) -> ASGIApp:
        for wrap in wraps:
            app = wrap(app)
        return app

    return wrapped


def _of_answers(settings: SimulatorSettings) -> Iterator[tuple[object, Wrap]]:
    def chance(share: float, fault: str) -> Chance:
        return Chance(share, settings.seed, fault)

    yield settings.error_share, lambda app: Failing(app, chance(settings.error_share, "error"))
    yield settings.wrong_type_share, lambda app: Mistyped(app, chance(settings.wrong_type_share, "type"))
    yield settings.latency_s, lambda app: Late(app, chance(1, "latency"), settings.latency_s)
    yield (
        settings.timeout_share,
        lambda app: Late(app, chance(settings.timeout_share, "timeout"), settings.timeout_s),
    )


def _of_bodies(settings: SimulatorSettings, journal: Journal | None) -> Iterator[tuple[object, Wrap]]:
    if journal:
        yield True, lambda app: Journaled(app, journal)
    yield settings.cut_share, lambda app: Cut(app, Chance(settings.cut_share, settings.seed, "cut"))
    if settings.slow_bytes_per_s:
        bytes_per_s = settings.slow_bytes_per_s
        yield True, lambda app: Slow(app, bytes_per_s)
