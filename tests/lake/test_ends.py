"""Which groups are at their end, by what bronze has kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from lake.bronze.events import EVENTS, Event, ends, record
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from tests.lake.landed import NOON, lake_in, land

ROWS = [["1"] * 13]


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return lake_in(tmp_path)


@pytest.fixture
def objects(lake: LakeSettings) -> Objects:
    return open_objects(lake)


def happened(
    objects: Objects, kind: Literal["end_of_data", "failure", "restart"], minute: int, group: int = 1
) -> None:
    at = NOON + timedelta(minutes=minute)
    record(objects, Event(kind, "simulator", group, at, "http://x", "Ya se recolectó"))


def test_a_group_is_at_its_end_until_something_else_happens(lake: LakeSettings, objects: Objects) -> None:
    assert ends(objects) == ()
    land(lake, ROWS, minute=1)
    happened(objects, "end_of_data", 2)
    happened(objects, "failure", 3, group=2)
    (end,) = ends(objects)
    assert (end.source, end.group, end.happened_at) == ("simulator", 1, NOON + timedelta(minutes=2))
    assert end.detail == "Ya se recolectó"
    happened(objects, "restart", 4)
    assert ends(objects) == ()
    happened(objects, "end_of_data", 5)
    assert len(ends(objects)) == 1
    land(lake, ROWS, minute=6)
    assert ends(objects) == ()


@pytest.mark.parametrize(
    "name", ["README.txt", "simulator/notes.json", "simulator/group=\u0663/x.json", "x/group=/y"]
)
def test_what_is_no_event_costs_itself_alone(objects: Objects, name: str) -> None:
    happened(objects, "end_of_data", 2)
    objects.put_new(f"{EVENTS}/{name}", b"not for us")
    assert [end.group for end in ends(objects)] == [1]
