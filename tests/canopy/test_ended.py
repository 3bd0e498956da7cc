"""What the demo makes of sources that have ended: nothing to wait for, or enough to go on with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from canopy.screens.demo import failed_runs, is_collected, refuse_nothing
from canopy.screens.status import are_ended
from canopy.screens.watch import Batch, StackState
from clients.airflow import Run
from contracts.errors import SourceEnded
from lake.bronze.events import Event
from lake.publish.pointer import Publication

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's, and a working folder without any."""
    monkeypatch.chdir(tmp_path)
    for name in ("SOURCE_NAMES", "SOURCE_GROUPS", "SOURCE_SECOND_GROUPS"):
        monkeypatch.delenv(name, raising=False)


def end(group: int = 1, source: str = "covertype") -> Event:
    said = "Ya se recolectó toda la información mínima necesaria"
    return Event("end_of_data", source, group, NOON, "", said)


def published(landings: int) -> Publication:
    return Publication(1, 1, NOON, landings, 100 * landings, 0, "passed")


def seen(batches: int, *found: Event, of: int | None = None, running: bool = False) -> StackState:
    """A look at so many refined batches, of so many landings in bronze."""
    landed = batches if of is None else of
    rows = tuple(Batch(f"landing-{number}", number, 100, 100, 0) for number in range(batches))
    runs = {"refine": [Run("refine", "running" if running else "success")]}
    return StackState(landed=landed, ended=found, batches=rows, publication=published(batches), runs=runs)


@pytest.mark.parametrize(
    ("settings", "found", "wanted"),
    [
        ({}, [end()], True),
        ({}, [], False),
        ({}, [end(2)], False),
        ({}, [end(), end(2)], True),  # one that nobody asks for any more
        ({"SOURCE_GROUPS": "1,3"}, [end()], False),
        ({"SOURCE_GROUPS": "1,3"}, [end(), end(3)], True),
        ({"SOURCE_NAMES": "covertype,second", "SOURCE_SECOND_GROUPS": "4"}, [end()], False),
        ({"SOURCE_NAMES": "covertype,second", "SOURCE_SECOND_GROUPS": "4"}, [end(), end(4)], False),
        ({"SOURCE_NAMES": "covertype,second", "SOURCE_SECOND_GROUPS": "4"}, [end(), end(4, "second")], True),
    ],
)
def test_all_is_ended_when_each_group_of_each_source_is(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], found: list[Event], wanted: bool
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert are_ended(found) is wanted


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        (seen(10), True),
        (seen(9), False),
        (seen(3, end()), True),  # fewer will not come
        (seen(3, end(2)), False),
        (seen(3, end(), of=4), False),  # the last one is still to be refined
        (seen(3, end(), running=True), False),
        (seen(10, running=True), False),
    ],
)
def test_the_demo_goes_on_with_what_there_is_when_no_more_can_come(now: StackState, wanted: bool) -> None:
    assert is_collected(now) is wanted


def test_a_demo_without_a_single_row_ends_in_the_source_s_own_words() -> None:
    refuse_nothing(StackState())
    refuse_nothing(seen(3, end()))
    refuse_nothing(StackState(ended=(end(2),)))  # another group may still have some
    with pytest.raises(SourceEnded, match=r"covertype, group 1: Ya se recolectó .* restart --group 1"):
        refuse_nothing(StackState(ended=(end(),)))


def test_a_demo_of_several_groups_names_each_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_GROUPS", "1,3")
    refuse_nothing(StackState(ended=(end(),)))
    with pytest.raises(SourceEnded, match=r"group 1: Ya se .*; covertype, group 3: Ya se"):
        refuse_nothing(StackState(ended=(end(), end(3))))


def test_a_round_of_the_house_that_failed_after_a_rest_stops_no_demo() -> None:
    states = {"collect": "success", "refine": "failed", "train": None, "maintain": "failed"}
    runs = {dag: [Run(dag, state), Run(dag, "failed")] for dag, state in states.items()}
    assert failed_runs(StackState(landed=0, runs=runs)) == [Run("refine", "failed")]
