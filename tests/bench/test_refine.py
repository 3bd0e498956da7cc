"""The measurement of a refine compares like with like, and prints what it has measured."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from bench.lakes import Bronze
from bench.refine import Cost, Grown, report
from bench.refine_by_hand import refine_by_hand
from bench.refine_with_pandas import refine_with_pandas
from contracts.covertype import covertype
from lake.catalog.connection import connect
from lake.settings import LakeSettings
from pipeline.dbt import build
from tests.lake.landed import lake_in, land

# What a lake without a publication cannot say, what only a build that goes on needs to remember.
LEFT_OUT = {"pending_landings", "reference_profiles", "live_scores"}
# What the service has answered comes with no landing.
LEFT_OUT |= {"predictions", "served_predictions_by_hour", "shadow_agreement"}
COLUMNS_LEFT_OUT = {
    "psi",
    "ks_distance",
    "reference_snapshot_id",
    "held_back_rows",
    "is_held",
    "contract_version",
}
SAME_BY_ANOTHER_NAME = {
    "coverage": "share",
    "coverage_low": "share_low",
    "coverage_high": "share_high",
}


def is_same(mine: Sequence[object], hand: Sequence[object]) -> bool:
    return all(
        a == (pytest.approx(b) if isinstance(a, float) else b) for a, b in zip(mine, hand, strict=True)
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeSettings:
    """Two groups' worth of clean landings, and a dirty one."""
    lake = lake_in(tmp_path_factory.mktemp("by_hand"))
    bronze = Bronze(lake, rows=3_000)
    bronze.land(range(23))
    dirty = [["2596", "51", "110", "258", "", "510", "221", "2.5", "148", "6279", "Rawah", "C9999", "4"]]
    land(lake, dirty, 5, 3)
    build(lake, state=Path(lake.root).parent / "dbt")
    return lake


@pytest.mark.long
def test_by_hand_the_same_tables_come_out(lake: LakeSettings, tmp_path: Path) -> None:
    refine_by_hand(lake, tmp_path)
    with connect(lake) as mine, duckdb.connect() as hand:
        hand.execute("set timezone = 'UTC'")
        tables = mine.execute(
            "select table_schema, table_name from information_schema.tables "
            "where table_catalog = 'lake' and table_schema in ('silver', 'gold')"
        ).fetchall()
        assert {file.stem for file in tmp_path.glob("*.parquet")} == {name for _, name in tables} - LEFT_OUT
        for schema, table in tables:
            if table in LEFT_OUT:
                continue
            names = [
                name
                for (name, *_) in mine.execute(f"describe {schema}.{table}").fetchall()
                if name not in COLUMNS_LEFT_OUT
            ]
            query = "select {} from {} order by all"
            theirs = ", ".join(SAME_BY_ANOTHER_NAME.get(name, name) for name in names)
            expected = mine.execute(query.format(", ".join(names), f"{schema}.{table}")).fetchall()
            found = hand.execute(query.format(theirs, f"'{tmp_path}/{table}.parquet'")).fetchall()
            assert len(expected) > 0, table
            for mine_row, hand_row in zip(expected, found, strict=True):
                assert is_same(mine_row, hand_row), (table, mine_row, hand_row)


@pytest.mark.long
def test_with_pandas_the_same_rows_come_out(lake: LakeSettings, tmp_path: Path) -> None:
    for _ in range(2):  # the second time no file is new
        refine_with_pandas(lake, tmp_path / "rows.sqlite")
    with connect(lake) as mine, closing(sqlite3.connect(tmp_path / "rows.sqlite")) as theirs:
        for table, theirs_is in (("silver.sightings", "rows"), ("silver.observations", "training_set")):
            query = f"select {', '.join(column.name for column in covertype().columns)} from "
            expected = mine.execute(query + table).fetchall()
            assert sorted(theirs.execute(query + theirs_is).fetchall()) == sorted(expected), table


def test_the_report_divides_what_it_says() -> None:
    grown = [
        Grown(10, rebuild=Cost(5, 4, 300), one_more=Cost(4, 2, 600)),
        Grown(1_000, rebuild=Cost(50, 49, 3_000), one_more=Cost(5, 3, 700)),
    ]
    by_hand = [(Cost(40, 38, 0), Cost(30, 30, 0))]
    lines = report(grown, by_hand, [(10, Cost(7, 7, 900))]).splitlines()
    assert lines[3] == "| 1,000 | 3.00 s | 1.50 | 5.00 s | 700 MiB | 50 s, 3,000 MiB | 116,200 |"
    assert lines[7] == "| 1 | 40.0 s | 30.0 s | 0.75 |"
    assert lines[11] == "| 10 | 7.00 s | 900 MiB |"
