"""A lake of many small files becomes one of few, and nobody who reads it notices."""

from __future__ import annotations

import multiprocessing
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from contracts.errors import NothingPublished, SnapshotMissing
from lake.catalog.compact import Compacted, compact
from lake.catalog.connection import connect, current_snapshot
from lake.publish.pointer import publish
from lake.read.query import run_query
from lake.settings import LakeSettings
from tests.lake.landed import lake_in

SUM = "select count(*), sum(number) from gold.numbers"
WRITES = 12


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return lake_in(tmp_path)


@pytest.fixture
def snapshots(lake: LakeSettings) -> list[int]:
    """After each of twelve writes, one of which deletes; the eighth is published."""
    with connect(lake, write=True) as connection:
        for name in ("silver.landings", "silver.observations", "silver.quarantine", "gold.numbers"):
            connection.execute(f"create schema if not exists {name.partition('.')[0]}")
            connection.execute(f"create table {name} (landing_id varchar, number integer)")
    found = []
    for number in range(WRITES):
        with connect(lake, write=True) as connection:
            connection.execute(f"insert into gold.numbers (number) select {number} from range(100)")
            if number == 5:
                connection.execute("delete from gold.numbers where number = 3")
            found.append(current_snapshot(connection))
    publish(lake, found[7], "held")
    return found


def test_what_is_published_cited_or_newest_is_read_as_before_and_the_rest_is_gone(
    lake: LakeSettings, snapshots: list[int]
) -> None:
    kept = [snapshots[2], snapshots[7]]
    before = [run_query(SUM, at=str(snapshot), lake=lake).rows for snapshot in kept]
    newest = run_query(SUM, head=True, lake=lake).rows
    compacted = compact(_at_once(lake), {snapshots[2], 999_999}, now=_later())
    assert compacted.pinned == 3
    assert compacted.files_after < compacted.files_before
    assert [run_query(SUM, at=str(snapshot), lake=lake).rows for snapshot in kept] == before
    assert run_query(SUM, lake=lake).rows == before[1]
    assert run_query(SUM, head=True, lake=lake).rows == newest
    with pytest.raises(SnapshotMissing):
        run_query(SUM, at=str(snapshots[4]), lake=lake)
    files = len(list((Path(lake.root) / "ducklake").rglob("*.parquet")))
    compact(_at_once(lake), {snapshots[2]}, now=_later())
    assert len(list((Path(lake.root) / "ducklake").rglob("*.parquet"))) <= files < WRITES


def test_young_snapshots_and_files_stay(lake: LakeSettings, snapshots: list[int]) -> None:
    compacted = compact(lake)
    assert (compacted.expired, compacted.deleted) == (0, 0)
    assert run_query(SUM, at=str(snapshots[4]), lake=lake).rows == [(500, 100 * (0 + 1 + 2 + 3 + 4))]


def test_a_reader_in_a_loop_meets_no_error_and_no_other_answer(
    lake: LakeSettings, snapshots: list[int]
) -> None:
    wanted = run_query(SUM, lake=lake).rows
    # A process of its own, as readers are: two SQLites in one process take each other's locks.
    apart = multiprocessing.get_context("spawn")
    told, is_over = apart.Queue(), apart.Event()
    reader = apart.Process(target=_read_on, args=(lake, told, is_over))
    reader.start()
    answers = [told.get(timeout=60)]
    # As it is set up: snapshots go, files only when they were of no use for long.
    hasty = lake.model_copy(update={"keep_snapshots_days": 0.0})
    found: list[Compacted] = []
    while len(found) < 30 and len(answers) < 4:
        found.append(compact(hasty, now=_later()))
        answers += _told(told)
    is_over.set()
    while reader.is_alive():  # it ends only once what it told is taken
        answers += _told(told)
    assert reader.exitcode == 0
    assert found[0].expired > 0
    assert len(answers) >= 4
    assert all(answer == wanted for answer in answers)


def test_a_lake_that_is_not_there_is_named(lake: LakeSettings) -> None:
    with pytest.raises(NothingPublished):
        run_query(SUM, lake=lake)


def _read_on(lake: LakeSettings, told: Queue[Any], is_over: Event) -> None:
    while not is_over.is_set():
        told.put(run_query(SUM, lake=lake).rows)


def _told(told: Queue[Any]) -> list[Any]:
    found = []
    with suppress(Empty):
        while True:
            found.append(told.get(timeout=0.05))
    return found


def _at_once(lake: LakeSettings) -> LakeSettings:
    return lake.model_copy(update={"keep_snapshots_days": 0.0, "keep_files_hours": 0.0})


def _later() -> datetime:
    """Past the times that the catalog has written down, which is its clock's and not ours."""
    return datetime.now(UTC) + timedelta(seconds=2)
