"""What happened at a source beside its batches: its end, failures, restarts. Written once, in bronze."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

from lake.objects import Objects

EVENTS = "bronze/events"


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
    moment = f"{event.happened_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}"
    fields = asdict(event) | {"happened_at": event.happened_at.astimezone(UTC).isoformat()}
    content = json.dumps(fields, ensure_ascii=False).encode()
    digest = sha256(content).hexdigest()
    key = f"{_folder(event.source, event.group)}/{moment}-{event.kind}-{digest}.json"
    objects.put_new(key, content)
    return key


def newest_event(objects: Objects, source: str, group: int) -> Event | None:
    """The last thing that happened to a group."""
    keys = objects.keys(_folder(source, group))
    if not keys:
        return None
    fields = json.loads(objects.read(keys[-1]))
    return Event(**fields | {"happened_at": datetime.fromisoformat(fields["happened_at"])})


def _folder(source: str, group: int) -> str:
    return f"{EVENTS}/{source}/group={group:02d}"
