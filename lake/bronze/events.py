"""What happened at a source beside its batches: its end, failures, restarts. Written once, in bronze."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

from contracts.errors import ObjectMissing, ObjectUnreadable
from contracts.landing_id import MOMENT_PATTERN, moment_text
from contracts.outside import shown
from lake.bronze.quarantine import set_aside
from lake.objects import Objects

EVENTS = "bronze/events"
KINDS = ("end_of_data", "failure", "restart")
KEY = re.compile(rf"{MOMENT_PATTERN}-({'|'.join(KINDS)})-[0-9a-f]{{64}}\.json")
LONGEST_DETAIL = 2_000


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: `end_of_data`, a `failure` to answer with a batch, or a `restart` of the group's collection.
        source: The source's name in the lake.
        group: The group that it happened to.
        happened_at: When, in UTC.
        url: What was asked.
        detail: What the source said, or what is wrong.
        by: Who asked for it, for a restart: the account and the machine.
    """

    kind: Literal["end_of_data", "failure", "restart"]
    source: str
    group: int
    happened_at: datetime
    url: str
    detail: str
    by: str = ""


def record(objects: Objects, event: Event) -> str:
    """Writes an event. Returns: its key."""
    moment = moment_text(event.happened_at)
    outside = {"detail": shown(event.detail, LONGEST_DETAIL), "by": shown(event.by)}
    fields = asdict(event) | outside | {"happened_at": event.happened_at.astimezone(UTC).isoformat()}
    content = json.dumps(fields, ensure_ascii=False).encode()
    digest = sha256(content).hexdigest()
    key = f"{_folder(event.source, event.group)}/{moment}-{event.kind}-{digest}.json"
    objects.put_new(key, content)
    return key


def newest_event(objects: Objects, source: str, group: int, until: datetime | None = None) -> Event | None:
    """Returns the last thing that happened to a group; an event that cannot be read is set aside.

    Args:
        objects: Bronze.
        source: The source's name.
        group: The group.
        until: The last moment that is believed; what happened later, did not.
    """
    for key in reversed(objects.keys(_folder(source, group))):
        try:
            event = _read(objects, key)
        except ObjectMissing:
            continue
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ObjectUnreadable) as error:
            set_aside(objects, key, f"it is no event: {type(error).__name__}: {error}")
            continue
        if until is None or event.happened_at <= until:
            return event
    return None


def ends(objects: Objects) -> tuple[Event, ...]:
    """Returns the end of every group that is at it, by source and group: nothing has landed since it said so.

    Args:
        objects: Bronze; an event that cannot be read is set aside.
    """
    pairs = {pair for key in objects.keys(EVENTS) if (pair := _pair(key)) is not None}
    found = [_end(objects, *pair) for pair in sorted(pairs)]
    return tuple(end for end in found if end is not None)


def _pair(key: str) -> tuple[str, int] | None:
    """Returns source and group of an event, by its key; None where it is no such key."""
    source, _, rest = key.removeprefix(f"{EVENTS}/").partition("/")
    folder = rest.partition("/")[0].removeprefix("group=")
    return (source, int(folder)) if folder.isascii() and folder.isdigit() else None


def _end(objects: Objects, source: str, group: int) -> Event | None:
    event = newest_event(objects, source, group)
    if event is None or event.kind != "end_of_data":
        return None
    from lake.bronze.landings import ROWS, moment_of  # with pyarrow, which a monitor does without

    landed = [moment_of(key) for key in objects.keys(f"{ROWS}/{source}/group={group:02d}")]
    if any(moment is not None and moment > event.happened_at for moment in landed):
        return None  # somebody has restarted the group
    return event


def _read(objects: Objects, key: str) -> Event:
    """Reads an event. Raises: ValueError, KeyError, TypeError, AttributeError, RecursionError."""
    if not KEY.fullmatch(key.rpartition("/")[2]):
        raise ValueError("nothing writes such a name")
    fields = json.loads(objects.read(key))
    event = Event(**fields | {"happened_at": datetime.fromisoformat(fields["happened_at"])})
    if event.happened_at.tzinfo is None or event.kind not in KINDS or not isinstance(event.detail, str):
        raise ValueError("its time, its kind or its detail is not what an event has")
    return event


def _folder(source: str, group: int) -> str:
    return f"{EVENTS}/{source}/group={group:02d}"
