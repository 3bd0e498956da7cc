"""Answers of an ASGI application held whole, for what happens to them on their way out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Answer:
    """What an application answered.

    Attributes:
        status: HTTP's.
        headers: Names in lower case, as ASGI has them.
        body: All of it.
    """

    status: int
    headers: Headers
    body: bytes


async def answered(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """Has the application answer, and sends nothing."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    start, *rest = messages
    body = b"".join(message.get("body", b"") for message in rest)
    return Answer(start["status"], list(start.get("headers", [])), body)


async def send_start(answer: Answer, send: Send) -> None:
    """Sends status and headers."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})


async def send_piece(piece: bytes, send: Send, *, has_more: bool) -> None:
    """Sends some of the body."""
    await send({"type": "http.response.body", "body": piece, "more_body": has_more})


async def send_whole(answer: Answer, send: Send) -> None:
    """Sends all of it."""
    await send_start(answer, send)
    await send_piece(answer.body, send, has_more=False)


async def hangs_up(receive: Receive, within_s: float) -> bool:
    """Waits that long, or until the client has gone. Returns: whether it has."""
    try:
        async with asyncio.timeout(within_s):
            message: Any = {}
            while message.get("type") != "http.disconnect":
                message = await receive()
    except TimeoutError:
        return False
    return True
