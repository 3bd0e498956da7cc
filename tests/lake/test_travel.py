"""A question to the lake as it is, as it was, and into a file."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from contracts.errors import NothingPublished, QueryFailed, SnapshotMissing
from lake.catalog import connect, current_snapshot
from lake.published import publish
from lake.query import run_query, write_query
from lake.settings import LakeSettings
from tests.lake.landed import lake_in

COUNT = "select count(*) from gold.numbers"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeSettings:
    """Two publications: of three numbers, and of five."""
    lake = lake_in(tmp_path_factory.mktemp("travelled"))
    with connect(lake, write=True) as connection:
        for name in ("silver.landings", "silver.observations", "silver.quarantine", "gold.numbers"):
            connection.execute(f"create schema if not exists {name.partition('.')[0]}")
            connection.execute(f"create table {name} (number integer)")
    for numbers in (range(3), range(3, 5)):
        with connect(lake, write=True) as connection:
            connection.executemany("insert into gold.numbers values (?)", [[number] for number in numbers])
            snapshot = current_snapshot(connection)
        publish(lake, snapshot, "held")
    return lake


def test_an_earlier_snapshot_is_read_by_its_number(lake: LakeSettings) -> None:
    first, second = _publications(lake)
    assert run_query(COUNT, at=str(first[0]), lake=lake).rows == [(3,)]
    assert run_query(COUNT, at=str(second[0]), lake=lake).rows == run_query(COUNT, lake=lake).rows == [(5,)]


def test_a_time_reads_what_was_published_then(lake: LakeSettings) -> None:
    first, second = _publications(lake)
    assert run_query(COUNT, at=first[1].isoformat(), lake=lake).rows == [(3,)]
    between = second[1] - timedelta(microseconds=1)
    assert run_query(COUNT, at=between.replace(tzinfo=None).isoformat(), lake=lake).rows == [(3,)]
    assert run_query(COUNT, at="2999-01-01", lake=lake).rows == [(5,)]
    with pytest.raises(NothingPublished, match="2020-01-01 00:00:00 UTC"):
        run_query(COUNT, at="2020-01-01", lake=lake)


@pytest.mark.parametrize(
    ("at", "says"),
    [("9999", "the lake has"), ("yesterday", "neither a number nor a time"), ("-1", "neither")],
)
def test_a_snapshot_that_is_not_there_is_named_with_those_that_are(
    lake: LakeSettings, at: str, says: str
) -> None:
    with pytest.raises(SnapshotMissing, match=says) as missing:
        run_query(COUNT, at=at, lake=lake)
    assert repr(at) in str(missing.value)


def test_an_answer_is_written_in_the_format_that_the_name_ends_in(lake: LakeSettings, tmp_path: Path) -> None:
    query = "select number, number * 2 as twice from gold.numbers order by number;"
    wanted = [{"number": number, "twice": 2 * number} for number in range(5)]
    for name in ("a.csv", "a.json", "it's.parquet"):
        assert write_query(query, tmp_path / name, lake=lake) == 5
    assert pyarrow.csv.read_csv(tmp_path / "a.csv").to_pylist() == wanted
    assert json.loads((tmp_path / "a.json").read_text()) == wanted
    assert pq.read_table(tmp_path / "it's.parquet").to_pylist() == wanted


def test_another_ending_and_a_broken_query_are_named(lake: LakeSettings, tmp_path: Path) -> None:
    with pytest.raises(QueryFailed, match=r"\.csv, \.json, \.parquet"):
        write_query(COUNT, tmp_path / "a.xlsx", lake=lake)
    with pytest.raises(QueryFailed, match="nowhere"):
        write_query("from gold.nowhere", tmp_path / "a.csv", lake=lake)


def _publications(lake: LakeSettings) -> list[tuple[int, datetime]]:
    rows = run_query(
        "select snapshot_id, published_at from published.publications order by 1", head=True, lake=lake
    ).rows
    return [(snapshot, at.astimezone(UTC)) for snapshot, at in rows]
