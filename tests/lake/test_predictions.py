"""The log of predictions in bronze."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.covertype import covertype
from contracts.errors import LandingConflict
from lake.bronze.predictions import SCHEMA, key_of, new_segment, put, read
from lake.catalog.connection import connect
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from tests.lake.landed import NOON, Row
from tests.lake.predicted import predictions
from tests.lake.stores import lake_in_s3, s3_service

# botocore and its event loop leave these to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]
SEGMENT = "20261122T120000000000Z-0a"
ROWS: list[Row] = [
    ["2596", "51", "3", "258", "0", "510", "221", "232", "148", "6279", "Rawah", "C7745", "4"],
    ["2590", "56", "2", "212", "-6", "390", "220", "235", "151", "6225", "Cache", "C2702", "2"],
]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_service() as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> LakeSettings:
    if request.param == "folder":
        return LakeSettings(uri=str(tmp_path), catalog=f"sqlite:{tmp_path}/catalog.sqlite")
    return lake_in_s3(request.getfixturevalue("s3"), tmp_path)


@pytest.fixture
def objects(lake: LakeSettings) -> Objects:
    return open_objects(lake)


def test_a_segment_is_read_back_and_duckdb_gives_its_columns_as_they_are_meant(lake: LakeSettings) -> None:
    objects, table = open_objects(lake), predictions(SEGMENT, ROWS, NOON, shadow_version=2)
    key = put(objects, SEGMENT, table)
    assert key == f"bronze/predictions/date=2026-11-22/{SEGMENT}.parquet"
    assert read(objects, key).equals(table)
    with connect(lake, write=True) as connection:
        found = connection.execute(
            f"describe from read_parquet('{objects.url(key)}', hive_partitioning = false)"
        ).fetchall()
    types = {name: kind for name, kind, *_ in found}
    assert list(types) == SCHEMA.names
    assert [types[column.name] for column in covertype().features] == ["INTEGER"] * 10 + ["VARCHAR"] * 2
    assert (types["predicted_at"], types["probabilities"], types["flags"], types["model_snapshot_id"]) == (
        *("TIMESTAMP WITH TIME ZONE", "FLOAT[]", "VARCHAR[]", "BIGINT"),
    )


def test_a_segment_that_is_there_already_is_no_error(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = predictions(SEGMENT, ROWS, NOON)
    key = put(objects, SEGMENT, table)
    before = objects.read(key)
    put(objects, SEGMENT, table.select(SCHEMA.names[::-1]))
    writer = pq.write_table  # as another version would write it
    monkeypatch.setattr(
        pq, "write_table", lambda *given, **options: writer(*given, **options, compression="gzip")
    )
    put(objects, SEGMENT, table)
    assert objects.read(key) == before


def test_other_rows_of_a_segment_are_refused_and_nothing_is_lost(objects: Objects) -> None:
    key = put(objects, SEGMENT, predictions(SEGMENT, ROWS, NOON))
    with pytest.raises(LandingConflict, match=SEGMENT):
        put(objects, SEGMENT, predictions(SEGMENT, ROWS[:1], NOON))
    assert read(objects, key).num_rows == 2


def test_what_does_not_fit_is_refused_and_named(objects: Objects) -> None:
    table = predictions(SEGMENT, ROWS, NOON)
    with pytest.raises(KeyError, match="latency_ms"):
        put(objects, SEGMENT, table.drop_columns("latency_ms"))
    with pytest.raises(ValueError, match="elevation_m"):
        put(objects, SEGMENT, _with(table, "elevation_m", [None, 2596]))
    with pytest.raises(ValueError, match="belong to another"):
        put(objects, "20261122T120000000000Z-0b", table)
    with pytest.raises(ValueError, match=r"'\.\./x' is no segment's name"):
        put(objects, "../x", table)
    assert objects.keys("bronze") == []


def test_segments_are_named_by_the_moment_in_utc_and_none_like_another() -> None:
    bogota = timezone(timedelta(hours=-5))
    first, second = new_segment(NOON.astimezone(bogota)), new_segment(NOON)
    assert first != second
    assert first.startswith("20261122T120000000000Z-")
    assert key_of(first) == f"bronze/predictions/date=2026-11-22/{first}.parquet"
    assert new_segment(NOON + timedelta(microseconds=1)) > max(first, second)


def _with(table: pa.Table, name: str, values: list[object]) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))
