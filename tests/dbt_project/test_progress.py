"""How far a collection has come, by group and batch, against counts and estimates made apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.dbt import build
from lake.catalog.connection import connect
from lake.coverage import coverage
from lake.bronze.landings import Landing
from lake.settings import LakeSettings
from tests.lake.landed import Row, lake_in, land, sample, spoiled, survey_rows

SLICE = 1_000


@dataclass(frozen=True)
class Asked:
    """One response: who was asked, the batch number it carries, and its rows."""

    source: str
    group: int
    batch: int
    rows: list[Row]


def responses(rows: list[Row]) -> list[Asked]:
    """A group of one slice, one that is sliced by batch, and another source that hands out the first's rows.

    Batch 1 of the first comes again after a restart, and one of its responses has rows that do not fit.
    """
    asked = []
    for seed, batch in enumerate([1, 1, 1, 2, 2, 3, 1]):
        drawn = sample(rows[:SLICE], 300, seed)
        if seed == 2:
            drawn = [spoiled(row, Slope="110") if place < 30 else row for place, row in enumerate(drawn)]
        asked.append(Asked("survey", 1, batch, drawn))
    for seed, batch in enumerate([1, 1, 1, 1, 2, 2, 3]):
        own = rows[batch * SLICE : (batch + 1) * SLICE]
        asked.append(Asked("survey", 2, batch, sample(own, 300, seed)))
    asked += [Asked("mirror", 1, 1, sample(rows[:SLICE], 300, seed)) for seed in (50, 51)]
    return asked


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory, survey: Path) -> tuple[LakeSettings, list[Asked]]:
    folder = tmp_path_factory.mktemp("collected")
    lake, asked = lake_in(folder), responses(survey_rows(survey, 4 * SLICE))
    for minute, one in enumerate(asked):
        land(lake, one.rows, minute, one.batch, one.group, source=one.source)
    build(lake, state=folder / "dbt")
    return lake, asked


def accepted(asked: list[Asked]) -> list[set[tuple[str, ...]]]:
    """The rows of each response that fit."""
    return [{tuple(row) for row in one.rows if row[2] != "110"} for one in asked]


def progress(lake: LakeSettings, columns: str, source: str, group: int) -> list[tuple[object, ...]]:
    with connect(lake) as connection:
        return connection.execute(
            f"select {columns} from gold.collection_progress where source = ? and group_number = ? "
            "order by first_fetched_at",
            [source, group],
        ).fetchall()


@pytest.mark.parametrize(("source", "group"), [("survey", 1), ("survey", 2), ("mirror", 1)])
def test_rows_are_counted_within_the_batch_and_within_the_group_up_to_it(
    collected: tuple[LakeSettings, list[Asked]], source: str, group: int
) -> None:
    lake, asked = collected
    asked = [one for one in asked if (one.source, one.group) == (source, group)]
    expected = []
    for batch in dict.fromkeys(one.batch for one in asked):
        own = accepted([one for one in asked if one.batch == batch])
        up_to = accepted([one for one in asked if one.batch <= batch])
        counts = (len(own), sum(map(len, own)), len(set.union(*own)))
        expected.append((batch, *counts, len(up_to), sum(map(len, up_to)), len(set.union(*up_to))))
    columns = (
        "batch_number, requests, accepted_rows, batch_distinct_rows, group_requests, group_accepted_rows"
    )
    assert progress(lake, f"{columns}, distinct_rows", source, group) == expected


@pytest.mark.parametrize(("group", "resampled"), [(1, "group"), (2, "batch")])
def test_what_is_in_reach_is_estimated_for_the_group_or_the_batch_and_holds_the_truth(
    collected: tuple[LakeSettings, list[Asked]], group: int, resampled: str
) -> None:
    lake, asked = collected
    asked = [one for one in asked if (one.source, one.group) == ("survey", group)]
    columns = (
        "batch_number, resampled, estimated_rows, estimated_rows_low, estimated_rows_high, "
        "coverage, coverage_low, coverage_high"
    )
    for batch, told, *figures in progress(lake, columns, "survey", group):
        is_in_reach = batch.__eq__ if resampled == "batch" else batch.__ge__  # type: ignore[attr-defined]
        reached = accepted([one for one in asked if is_in_reach(one.batch)])
        found = coverage([len(rows) for rows in reached], len(set.union(*reached)))
        rows = [found.estimated_rows, found.estimated_rows_low, found.estimated_rows_high]
        assert told == resampled
        assert figures == [*rows, found.share, found.share_low, found.share_high]
        if len(reached) > 1:
            low, high = figures[1:3]
            assert low <= SLICE <= high  # type: ignore[operator]


def test_a_source_that_hands_out_what_another_has_shown_covers_its_own_slice_as_far_as_it_did(
    collected: tuple[LakeSettings, list[Asked]],
) -> None:
    lake, _ = collected
    ((new, distinct, low, high),) = progress(
        lake, "new_rows, distinct_rows, estimated_rows_low, estimated_rows_high", "mirror", 1
    )
    assert new < distinct  # type: ignore[operator]
    assert low <= SLICE <= high  # type: ignore[operator]


@pytest.mark.longest
def test_which_adapter_read_a_response_is_in_silver_also_where_its_file_or_the_table_is_older(
    tmp_path: Path, survey: Path
) -> None:
    rows, lake = survey_rows(survey, 300), lake_in(tmp_path)
    _without_adapter(lake, land(lake, rows[:50], minute=1))
    land(lake, rows[50:100], minute=2, adapter="one_hot")
    build(lake, state=tmp_path / "dbt")
    assert _adapters(lake) == ["none", "one_hot"]
    with connect(lake, write=True) as connection:
        connection.execute("alter table silver.landings drop column adapter")
        connection.execute("alter table silver.pending_landings drop column is_finished")
    _without_adapter(lake, land(lake, rows[100:150], minute=3))
    build(lake, state=tmp_path / "dbt")
    assert _adapters(lake) == ["none", "one_hot", "none"]
    build(lake, state=tmp_path / "dbt", is_full_refresh=True)
    assert _adapters(lake) == ["none", "one_hot", "none"]


def _without_adapter(lake: LakeSettings, landing: Landing) -> None:
    """As bronze wrote it while there were no adapters."""
    file = Path(lake.uri, landing.key)
    pq.write_table(pq.read_table(file).drop_columns(["adapter"]), file)


def _adapters(lake: LakeSettings) -> list[str]:
    with connect(lake) as connection:
        found = connection.execute("select adapter from silver.landings order by fetched_at").fetchall()
    return [adapter for (adapter,) in found]
