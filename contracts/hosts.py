"""Who may ask a part, by the names in a request: the rule against rebound names and other sites' pages.

A page in somebody's browser can make its own name point at 127.0.0.1, and can send requests to any port of
this machine. The first shows in `Host`, the second in `Origin`. Every part applies this one rule.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any

from contracts.started import HEADER, HEALTH, started_as

# This machine's own names; a setting adds others, none takes these away.
OWN = frozenset({"127.0.0.1", "localhost", "::1"})
# What a browser is told with every answer. `self` and not `none`: MLflow and Airflow frame their own pages.
HEADERS = (
    (b"content-security-policy", b"frame-ancestors 'self'; object-src 'none'; base-uri 'self'"),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
)
# Not `urlsplit`: it takes `[::1].evil.example` for `::1`.
HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+?)\.?(?::(?P<port>[0-9]{1,5}))?")
DEFAULT_PORTS = {"http": "80", "https": "443"}
NAMES = (b"host", b"origin")
REMEMBERED = 64  # a stranger cannot fill the memory with names that end in an allowed one

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def allowed_hosts(more: str = "") -> frozenset[str]:
    """Returns the names under which a part may be asked.

    Args:
        more: Names beside this machine's own, with commas between them; `*.example.org` stands for every name
            below it.
    """
    return OWN | {name.strip().strip("[]").lower().rstrip(".") for name in more.split(",") if name.strip()}


def refusal(allowed: Iterable[str], hosts: Sequence[str], origins: Sequence[str] = ()) -> str | None:
    """Returns why a request is refused, or None if it is let in.

    Args:
        allowed: As `allowed_hosts` gives them.
        hosts: Every `Host` of the request; there must be one.
        origins: Every `Origin`; none where no browser asks, else the one of the part itself.
    """
    if len(hosts) != 1:
        return f"The request has {len(hosts)} Host headers, and needs one."
    name = host_name(hosts[0])
    if name is None or not _is_known(name, frozenset(allowed)):
        return f"This is not {hosts[0][:100]!r}. CANOPY_ALLOWED_HOSTS adds a name."
    if any(not _is_same(origin, hosts[0]) for origin in origins):
        return f"A page of {origins[0][:100]!r} may not ask {hosts[0][:100]!r}."
    return None


def host_name(host: str) -> str | None:
    """Returns the name in a `Host`, without its port, in lower case; None if it is no such thing."""
    found = HOST.fullmatch(host)
    return found["name"].strip("[]").lower() if found else None


def _is_known(name: str, allowed: frozenset[str]) -> bool:
    return name in allowed or any(name.endswith(known[1:]) for known in allowed if known.startswith("*."))


def _is_same(origin: str, host: str) -> bool:
    """Returns whether a page comes from where it asks: the same name and the same port."""
    scheme, mark, place = origin.partition("://")
    return scheme in DEFAULT_PORTS and bool(mark) and _place(place) == _place(host) is not None


def _place(host: str) -> tuple[str, str] | None:
    """Returns name and port; a port that a browser would leave out is none."""
    found = HOST.fullmatch(host)
    if found is None:
        return None
    port = found["port"] or ""
    return found["name"].lower(), "" if port in DEFAULT_PORTS.values() else port


class HostRule:
    """The rule for one part; names that were let in are looked at once."""

    def __init__(self, allowed: Iterable[str] = OWN) -> None:
        """Args: allowed: As `allowed_hosts` gives them."""
        self._allowed = frozenset(allowed)
        self._let_in: set[tuple[tuple[bytes, bytes], ...]] = set()

    def refusal(self, scope: Scope) -> str | None:
        """Returns why a request is refused, as ASGI has it, or None if it is let in."""
        given = tuple([pair for pair in scope["headers"] if pair[0] in NAMES])
        if given in self._let_in:
            return None
        hosts = [value.decode("latin-1") for name, value in given if name == b"host"]
        origins = [value.decode("latin-1") for name, value in given if name == b"origin"]
        reason = refusal(self._allowed, hosts, origins)
        if reason is None and len(self._let_in) < REMEMBERED:
            self._let_in.add(given)
        return reason


class HostGuard:
    """An ASGI application that lets in who may ask, and tells browsers what they may do with the answer."""

    def __init__(self, app: Application, allowed: Iterable[str] = OWN, *, takes_links: bool = True) -> None:
        """Takes the application, and its rule.

        Args:
            app: What is asked.
            allowed: As `allowed_hosts` gives them.
            takes_links: Whether pages of others may link to it or show something of it; not where a GET
                changes something.
        """
        self._app = app
        self._takes_links = takes_links
        self._rule = HostRule(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        reason = self._rule.refusal(scope) or (None if self._takes_links else _linked(scope))
        if scope["type"] == "websocket":
            if reason is None:
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
            return
        reply = _with_headers(send, scope["path"])
        if reason is None:
            await self._app(scope, receive, reply)
            return
        body = reason.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await reply({"type": "http.response.start", "status": 403, "headers": headers})
        await reply({"type": "http.response.body", "body": body})


def _linked(scope: Scope) -> str | None:
    """Returns why a request is refused that a page of somewhere else caused, such as by an image; browsers
    say so."""
    sites = {value for name, value in scope["headers"] if name == b"sec-fetch-site"}
    return "A page of another site may not ask this." if sites - {b"same-origin", b"none"} else None


def _with_headers(send: Send, path: str) -> Send:
    told = (*HEADERS, (HEADER.lower().encode(), started_as().encode())) if path in HEALTH else HEADERS

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", ()))
            there = {bytes(name).lower() for name, _ in given}
            message["headers"] = [*given, *(pair for pair in told if pair[0] not in there)]
        await send(message)

    return send_with_headers
