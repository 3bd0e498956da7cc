"""Which groups of a source are at their end: it has said so, and nothing of them has landed since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lake.bronze.events import EVENTS, newest_event
from lake.bronze.landings import ROWS, moment_of
from lake.objects import Objects


@dataclass(frozen=True)
class End:
    """A group that has no more batches.

    Attributes:
        source: The source's name in the lake.
        group: The group.
        since: When it said so, in UTC.
        detail: In its own words.
    """

    source: str
    group: int
    since: datetime
    detail: str


def ends(objects: Objects) -> tuple[End, ...]:
    """Every group that is at its end, by source and group.

    Args:
        objects: Bronze; an event that cannot be read is set aside.
    """
    pairs = {pair for key in objects.keys(EVENTS) if (pair := _pair(key)) is not None}
    found = [_end(objects, *pair) for pair in sorted(pairs)]
    return tuple(end for end in found if end is not None)


def _pair(key: str) -> tuple[str, int] | None:
    """Source and group of an event, by its key; None where it is no such key."""
    source, _, rest = key.removeprefix(f"{EVENTS}/").partition("/")
    folder = rest.partition("/")[0].removeprefix("group=")
    return (source, int(folder)) if folder.isascii() and folder.isdigit() else None


def _end(objects: Objects, source: str, group: int) -> End | None:
    event = newest_event(objects, source, group)
    if event is None or event.kind != "end_of_data":
        return None
    landed = [moment_of(key) for key in objects.keys(f"{ROWS}/{source}/group={group:02d}")]
    if any(moment is not None and moment > event.happened_at for moment in landed):
        return None  # somebody has restarted the group
    return End(source, group, event.happened_at, event.detail)
