"""Landings that an audit holds back, and those that a person lets in after all. Written once, in bronze."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.errors import LandingConflict, NotHeld, ObjectUnreadable
from lake.objects import Objects

HELD = "bronze/held"
RELEASED = ".released"
# A landing's name; whatever else lies there holds nothing back.
HELD_NAME = re.compile(r"[^.]+(\.released)?\.json")


@dataclass(frozen=True)
class Hold:
    """Why a landing was held back.

    Attributes:
        landing_id: The landing.
        held_at: Since when, UTC.
        findings: What the audit found, one sentence each.
        is_released: Whether a person has let it in after all.
    """

    landing_id: str
    held_at: datetime
    findings: tuple[str, ...]
    is_released: bool


def hold(objects: Objects, landing_id: str, findings: list[str]) -> None:
    """Holds a landing back: the next build puts all its rows into quarantine.

    What was held once stays as it was written, whatever is found later.
    """
    _write_once(objects, _key(landing_id), {"held_at": _now(), "findings": findings})


def release(objects: Objects, landing_id: str) -> None:
    """Lets a landing in after all: the next build judges it by its rows again, and no audit as a whole.

    Raises: NotHeld if it is not held back.
    """
    if landing_id not in held(objects):
        raise NotHeld(landing_id)
    _write_once(objects, _key(landing_id, RELEASED), {"released_at": _now()})


def held(objects: Objects) -> list[str]:
    """Returns landings that are held back and not released, oldest first."""
    return [landing_id for landing_id, is_released in _known(objects).items() if not is_released]


def released(objects: Objects) -> list[str]:
    """Returns landings that were held back and are released, oldest first."""
    return [landing_id for landing_id, is_released in _known(objects).items() if is_released]


def holds(objects: Objects) -> list[Hold]:
    """Returns every landing that was ever held back, with the reasons, oldest first."""
    return [_read(objects, *known) for known in _known(objects).items()]


def _known(objects: Objects) -> dict[str, bool]:
    """Returns landings that were ever held back, and whether they are released."""
    names = {
        name.removesuffix(".json") for name in map(_name, objects.keys(HELD)) if HELD_NAME.fullmatch(name)
    }
    return {name: f"{name}{RELEASED}" in names for name in sorted(names) if not name.endswith(RELEASED)}


def _read(objects: Objects, landing_id: str, is_released: bool) -> Hold:
    """Returns a hold; one whose reasons cannot be read holds all the same."""
    try:
        fields = json.loads(objects.read(_key(landing_id)))
        held_at = datetime.fromisoformat(fields["held_at"])
        findings = tuple(map(str, fields["findings"]))
    except (ValueError, KeyError, TypeError, RecursionError, ObjectUnreadable):
        held_at, findings = datetime.fromtimestamp(0, UTC), ("the reasons cannot be read",)
    return Hold(landing_id, held_at, findings, is_released)


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _write_once(objects: Objects, key: str, fields: dict[str, object]) -> None:
    if not objects.exists(key):
        with suppress(LandingConflict):  # another one was faster, by a moment
            objects.put_new(key, json.dumps(fields, ensure_ascii=False).encode())


def _key(landing_id: str, suffix: str = "") -> str:
    return f"{HELD}/{landing_id}{suffix}.json"


def _now() -> str:
    return datetime.now(UTC).isoformat()
