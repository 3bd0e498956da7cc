"""Limits of tries: who was refused too often through the proxy is not even looked at for a while."""

from __future__ import annotations

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.responses import PlainTextResponse

from contracts.hosts import Application, Message, Receive, Scope, Send

TRIES, WINDOW_S = 10, 300


class Tries:
    """How often somebody was refused of late."""

    def __init__(self) -> None:
        self._limit = parse(f"{TRIES}/{WINDOW_S} seconds")
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def are_spent(self, who: str) -> bool:
        """Returns whether nothing more is to be tried."""
        return not self._limiter.test(self._limit, who)

    def refused(self, who: str) -> None:
        """Counts one."""
        self._limiter.hit(self._limit, who)


def through_proxy(forwarded_for: str | None) -> str | None:
    """Returns whose address the proxy has seen; None for who asks a part directly, as the other parts do."""
    return forwarded_for.rpartition(",")[2].strip()[:64] if forwarded_for else None


class TryLimit:
    """An ASGI layer before a part that has a sign-in of its own."""

    def __init__(self, app: Application) -> None:
        """Args: app: What answers 401 to a wrong sign-in."""
        self._app = app
        self._tries = Tries()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, unless too many of its sender's were refused."""
        who = _sender(scope)
        if who is None:
            await self._app(scope, receive, send)
            return
        if self._tries.are_spent(who):
            wait = {"Retry-After": str(WINDOW_S)}
            await PlainTextResponse("Too many tries. Wait, then sign in again.", 429, wait)(
                scope, receive, send
            )
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 401 and _is_try(scope):
                self._tries.refused(who)
            await send(message)

        await self._app(scope, receive, counted)


def _sender(scope: Scope) -> str | None:
    if scope["type"] != "http" or not _is_try(scope):
        return None
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return through_proxy(given[-1] if given else None)


def _is_try(scope: Scope) -> bool:
    """Returns whether a request carries a secret that may be wrong: a header, or the form of a sign-in."""
    return scope["method"] == "POST" or any(name == b"authorization" for name, _ in scope["headers"])
