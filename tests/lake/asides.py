"""What lies in a lake's quarantine, with the reasons, as tests look at it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.errors import ObjectMissing, ObjectUnreadable
from contracts.put_away import QUARANTINE, REASON
from lake.objects import Objects


@dataclass(frozen=True)
class Aside:
    """Something that was set aside.

    Attributes:
        key: Where it was.
        kept: Where its bytes are; empty where only a note was made.
        reason: What is wrong with it.
        found_at: When that was found, UTC.
    """

    key: str
    kept: str
    reason: str
    found_at: datetime


def aside(objects: Objects) -> list[Aside]:
    """Returns everything that was set aside or noted, by key."""
    return [_read(objects, key) for key in objects.keys(QUARANTINE) if key.endswith(REASON)]


def _read(objects: Objects, key: str) -> Aside:
    """Returns a note; one that is damaged itself says so."""
    try:
        fields = json.loads(objects.read(key))
        found_at = datetime.fromisoformat(fields["found_at"])
        return Aside(str(fields["key"]), str(fields["kept"]), str(fields["reason"]), found_at)
    except (ValueError, KeyError, TypeError, RecursionError, ObjectMissing, ObjectUnreadable):
        place = key.removeprefix(f"{QUARANTINE}/").removesuffix(REASON)
        return Aside(place, "", "its reason cannot be read", datetime.fromtimestamp(0, UTC))
