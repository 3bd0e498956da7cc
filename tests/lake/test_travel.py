"""A question to the lake as it is, and as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.errors import NothingPublished, SnapshotMissing
from lake.read.query import run_query
from lake.settings import LakeSettings
from tests.lake.landed import lake_in
from tests.lake.published import fill_with_numbers

COUNT = "select count(*) from gold.numbers"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeSettings:
    return fill_with_numbers(lake_in(tmp_path_factory.mktemp("travelled")))


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
    [
        ("9999", "the lake has"),
        ("yesterday", "neither a number nor a time"),
        ("-1", "neither"),
        ("0001-01-01T00:00:00+14:00", "neither"),
    ],
)
def test_a_snapshot_that_is_not_there_is_named_with_those_that_are(
    lake: LakeSettings, at: str, says: str
) -> None:
    with pytest.raises(SnapshotMissing, match=says) as missing:
        run_query(COUNT, at=at, lake=lake)
    assert repr(at) in str(missing.value)


def _publications(lake: LakeSettings) -> list[tuple[int, datetime]]:
    rows = run_query(
        "select snapshot_id, published_at from published.publications order by 1", head=True, lake=lake
    ).rows
    return [(snapshot, at.astimezone(UTC)) for snapshot, at in rows]
