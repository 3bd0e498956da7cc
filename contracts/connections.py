"""How many callers there may be at once, and how long each may take: one look a second at all of them."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any, Protocol
from weakref import WeakKeyDictionary

LOOK_EVERY_S = 1.0
# A head, what follows the chunks of a body, or the size of a chunk: what a parser keeps without an end.
HEAD_BYTES = 64 * 1024
TOO_LARGE = f"The head of the request is over {HEAD_BYTES} bytes. Send fewer or shorter headers."
# Of the descriptors that the system allows, so many are left to files, models and the registry.
KEPT_SHARE = 2
FEWEST = 8
# A caller that reads less than this in the time that he has is as good as one that does not read.
SENT_BYTES = 2**20
# When there are too many, a tenth of the idle ones goes at once: to look for one each time costs all of them.
LET_GO_SHARE = 10
CLOSE_WITHIN_S = 2.0


class Phase(Enum):
    """What is waited for on a connection."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"


@dataclass(frozen=True)
class Patience:
    """How much is put up with.

    Attributes:
        connections: At once; fewer where the system allows fewer descriptors.
        idle_s: Between two requests.
        head_s: From the first byte of a head to its last.
        body_s: For a body that nobody waits for any more, and for a megabyte of a reply to be read; twice
            that for the next piece of a body.
    """

    connections: int = 1_000
    idle_s: float = 30.0
    head_s: float = 10.0
    body_s: float = 30.0

    def within_s(self, phase: Phase) -> float:
        """Returns how long the caller has."""
        return {Phase.IDLE: self.idle_s, Phase.HEAD: self.head_s, Phase.BODY: self.body_s}[phase]


class Connection(Protocol):
    """What is watched."""

    phase: Phase
    told: int
    pieces: int
    is_refused: bool
    transport: Any
    flow: Any

    @property
    def is_busy(self) -> bool:
        """Returns whether the service has yet to answer."""

    def refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answers a problem, and takes nothing more."""


@dataclass
class _Seen:
    """What a connection was like when it last went on.

    Attributes:
        state: Whether it is busy, its phase and what it has told.
        since: When that was first seen.
        taken: Bytes of replies that had gone then.
    """

    state: tuple[Any, ...]
    since: float
    taken: int


class Watch:
    """Looks after the connections of one process."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, connections: Collection[Any], patience: Patience
    ) -> None:
        """Takes the connections as the server counts them; those of websockets are no more than counted."""
        self._loop = loop
        self._connections = connections
        self._patience = patience
        self._limit = allowed_connections(patience.connections)
        self._every_s = min(LOOK_EVERY_S, patience.head_s / 4, patience.body_s / 4, patience.idle_s / 4)
        self._seen: WeakKeyDictionary[Connection, _Seen] = WeakKeyDictionary()
        self._is_looking = False

    def welcome(self, connection: Connection) -> bool:
        """Returns whether a new connection is taken; those that have been idle for longest make room for
        it."""
        if not self._is_looking:
            self._is_looking = True
            self._loop.call_later(self._every_s, self._look)
        if len(self._connections) <= self._limit:
            return True
        return self._make_room(connection)

    def _make_room(self, new: Connection) -> bool:
        idle = [item for item in self._watched() if item is not new and not item.is_busy]
        now = self._loop.time()
        idle.sort(key=lambda item: self._seen[item].since if item in self._seen else now)
        for connection in idle[: 1 + len(idle) // LET_GO_SHARE]:
            connection.transport.abort()
        return bool(idle)

    def _look(self) -> None:
        now = self._loop.time()
        for connection in self._watched():
            self._look_at(connection, now)
        self._is_looking = bool(self._connections)
        if self._is_looking:
            self._loop.call_later(self._every_s, self._look)

    def _watched(self) -> list[Connection]:
        return [item for item in self._connections if hasattr(item, "phase")]

    def _look_at(self, connection: Connection, now: float) -> None:
        pieces = connection.pieces if connection.is_busy else 0
        state = (connection.is_busy, connection.is_refused, connection.phase, connection.told, pieces)
        taken = connection.transport.taken
        seen = self._seen.get(connection)
        if seen is None or seen.state != state:
            self._seen[connection] = _Seen(state, now, taken)
        elif connection.is_refused:
            if now - seen.since >= CLOSE_WITHIN_S:
                connection.transport.abort()
        elif connection.is_busy and connection.phase is Phase.BODY and not connection.flow.read_paused:
            # An application may wait for a body of its own accord, and less long.
            if now - seen.since >= 2 * self._patience.body_s:
                connection.transport.abort()
        elif connection.is_busy:
            self._look_at_reply(connection, seen, now, taken)
        elif now - seen.since >= self._patience.within_s(connection.phase):
            self._end(connection)

    def _look_at_reply(self, connection: Any, seen: _Seen, now: float, taken: int) -> None:
        """Ends a caller that does not read: what is sent to him holds others up."""
        if not connection.flow.write_paused or taken - seen.taken >= SENT_BYTES:
            seen.since, seen.taken = now, taken
        elif now - seen.since >= self._patience.body_s:
            connection.transport.abort()

    def _end(self, connection: Connection) -> None:
        if connection.phase is Phase.HEAD and not connection.transport.is_closing():
            late = f"The head of the request did not come within {self._patience.head_s:g} s. Send it faster."
            connection.refuse(HTTPStatus.REQUEST_TIMEOUT, late)
        else:
            # Not closed: that would wait until the caller has read what there is.
            connection.transport.abort()


def allowed_connections(wanted: int) -> int:
    """Returns so many connections as are wanted, or as the system's limit of descriptors leaves room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(FEWEST, min(wanted, soft // KEPT_SHARE))
