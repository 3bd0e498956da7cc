"""Landings that an audit holds back, and a person lets in."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import NotHeld
from lake.bronze.held import held, hold, holds, release, released
from lake.objects import Objects, open_objects
from tests.lake.landed import lake_in

FIRST, SECOND = "20261122T120000000000Z-aa", "20261122T120500000000Z-bb"


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return open_objects(lake_in(tmp_path))


def test_a_landing_is_held_with_its_findings_until_it_is_released(objects: Objects) -> None:
    assert held(objects) == []
    began = datetime.now(UTC)
    hold(objects, SECOND, ["too much in quarantine"])
    hold(objects, FIRST, ["drifted", "half as large"])
    assert held(objects) == [FIRST, SECOND]
    release(objects, FIRST)
    assert (held(objects), released(objects)) == ([SECOND], [FIRST])
    first, second = holds(objects)
    assert (first.findings, first.is_released) == (("drifted", "half as large"), True)
    assert (second.findings, second.is_released) == (("too much in quarantine",), False)
    assert began <= first.held_at <= datetime.now(UTC)


def test_what_is_written_of_it_has_the_names_that_the_build_looks_for(objects: Objects) -> None:
    hold(objects, FIRST, ["drifted"])
    release(objects, FIRST)
    assert objects.keys("bronze/held") == [
        f"bronze/held/{FIRST}.json",
        f"bronze/held/{FIRST}.released.json",
    ]
    assert set(json.loads(objects.read(f"bronze/held/{FIRST}.json"))) == {"held_at", "findings"}


def test_what_was_held_first_stays_and_a_released_landing_is_not_held_again(objects: Objects) -> None:
    hold(objects, FIRST, ["drifted"])
    hold(objects, FIRST, ["something else"])
    assert [known.findings for known in holds(objects)] == [("drifted",)]
    release(objects, FIRST)
    hold(objects, FIRST, ["something else"])
    assert held(objects) == []


def test_of_many_audits_that_hold_at_once_none_fails(objects: Objects) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: hold(objects, FIRST, [f"finding {number}"]), range(8)))
    assert held(objects) == [FIRST]


@pytest.mark.parametrize("landing", [FIRST, "nothing/of/the/kind"])
def test_what_is_not_held_cannot_be_released(objects: Objects, landing: str) -> None:
    hold(objects, SECOND, ["drifted"])
    with pytest.raises(NotHeld, match=f"{landing}.*canopy lake held"):
        release(objects, landing)
    release(objects, SECOND)
    with pytest.raises(NotHeld):
        release(objects, SECOND)
