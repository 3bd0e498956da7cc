"""A lake, proven and damaged: each damage is one sentence that says what to do."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from canopy.refine import build
from canopy.verify import Verified, verify
from lake.catalog import connect
from lake.landings import Landing, Provenance, keep_raw, land_rows, refuse
from lake.objects import open_objects
from lake.settings import LakeSettings
from tests.lake.landed import NOON, lake_in, land, sample, spoiled, survey_rows
from tests.lake.stores import lake_in_s3, s3_service

ROW = [*["2596", "51", "3", "258", "0", "510", "221", "232", "148", "6279"], "Rawah", "C7745", "4"]
OTHER = [*ROW[:-1], "5"]


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return lake_in(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, survey: Path) -> Path:
    """Three landings in silver, with a row of each kind of quarantine, and one that silver does not know."""
    folder = tmp_path_factory.mktemp("built")
    lake, rows = lake_in(folder), survey_rows(survey, 200)
    dirty = [spoiled(rows[0], Slope="110"), spoiled(rows[1], Horizontal_Distance_To_Hydrology="")]
    for minute in range(3):
        land(lake, [*sample(rows, 40, minute), *dirty], minute)
    build(lake, state=folder / "dbt")
    land(lake, sample(rows, 40, 9), 9)
    return folder


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> LakeSettings:
    """A copy of it, to be damaged; the catalog knows where its files are."""
    shutil.copytree(built / "lake", tmp_path / "lake")
    shutil.copy(built / "catalog.sqlite", tmp_path / "catalog.sqlite")
    moved = "update ducklake_metadata set value = ? where key = 'data_path'"
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as catalog, catalog:
        catalog.execute(moved, [f"{tmp_path}/lake/ducklake/"])
    return lake_in(tmp_path)


def test_a_whole_bronze_has_no_fault(lake: LakeSettings) -> None:
    _land(lake)
    objects = open_objects(lake)
    objects.check()
    refuse(objects, keep_raw(objects, b"{", _provenance(2)), "not JSON")
    keep_raw(objects, _body(ROW), _provenance(3))
    assert verify(lake) == Verified(landed=1, refused=1, unfinished=1, not_refined=1, faults=())


def test_a_changed_response_is_a_fault(lake: LakeSettings) -> None:
    landing = _land(lake)
    stored = open_objects(lake).read(landing.raw_key)
    open_objects(lake).put(landing.raw_key, stored[:-4] + b"oops")
    _has_one_fault(lake, landing.raw_key, "is damaged", "Restore it from a backup")
    assert verify(lake).landed == 0


@pytest.mark.parametrize(
    ("damage", "columns"),
    [
        (lambda rows: rows.slice(1), "Elevation"),
        (lambda rows: rows.take([1, 0]), "position"),
        (lambda rows: rows.set_column(2, "Slope", pa.array(["3", "4"])), "in Slope."),
        (lambda rows: _constant(rows, "url", "http://elsewhere"), "in url."),
        (lambda rows: _constant(rows, "batch_number", 7, pa.int32()), "in batch_number."),
        (lambda rows: rows.append_column("extra", pa.array([1, 2])), "in extra."),
    ],
)
def test_rows_that_are_not_what_the_response_says_are_a_fault_that_names_the_columns(
    lake: LakeSettings, damage: Callable[[pa.Table], pa.Table], columns: str
) -> None:
    landing = _land(lake, [ROW, OTHER])
    buffer = io.BytesIO()
    pq.write_table(damage(pq.read_table(io.BytesIO(open_objects(lake).read(landing.key)))), buffer)
    open_objects(lake).put(landing.key, buffer.getvalue())
    _has_one_fault(lake, f"{landing.key} is not what {landing.raw_key} says", columns, "canopy lake replay")


def test_rows_that_are_no_parquet_are_a_fault(lake: LakeSettings) -> None:
    landing = _land(lake)
    open_objects(lake).put(landing.key, b"PAR1")
    _has_one_fault(lake, landing.key, "canopy lake replay")


def test_rows_and_refusals_without_their_response_are_faults(lake: LakeSettings) -> None:
    landing = _land(lake)
    objects = open_objects(lake)
    refuse(objects, keep_raw(objects, b"{", _provenance(2)), "not JSON")
    for key in objects.keys("bronze/raw"):
        (Path(lake.root) / key).unlink()
    first, second = verify(lake).faults
    assert landing.key in first
    assert "bronze/refused" in second


def test_a_refusal_of_a_response_that_fits_is_a_fault(lake: LakeSettings) -> None:
    objects = open_objects(lake)
    raw = keep_raw(objects, _body(ROW), _provenance(1))
    refuse(objects, raw, "I do not like it")
    _has_one_fault(lake, f"refuses {raw.key}, which fits the contract", "canopy lake replay")


def test_a_record_that_is_no_refusal_is_a_fault(lake: LakeSettings) -> None:
    objects = open_objects(lake)
    raw = keep_raw(objects, b"{", _provenance(1))
    refuse(objects, raw, "not JSON")
    (key,) = objects.keys("bronze/refused")
    objects.put(key, b"[]")
    _has_one_fault(lake, key, "is no record of a refusal")
    objects.put(key, json.dumps({"raw_key": "another"}).encode())
    _has_one_fault(lake, key, "refuses another")


def test_silver_that_holds_each_landed_row_once_has_no_fault(copied: LakeSettings) -> None:
    assert verify(copied) == Verified(landed=4, refused=0, unfinished=0, not_refined=1, faults=())


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("delete from silver.sightings where position = 3", "1 rows missing from silver, other counts"),
        ("insert into silver.sightings from silver.sightings where position = 5", "in silver more than once"),
        (
            "update silver.sightings set slope_deg = slope_deg + 1 where position = 2",
            "1 rows with other values",
        ),
        ("update silver.sightings set soil_type = 'C2702' where position = 2", "1 rows with other values"),
        (
            "update silver.sightings set position = 900 where position = 2",
            "1 rows in silver and not in bronze",
        ),
        ("update silver.landings set accepted_rows = 7 where true", "other counts in silver.landings"),
        ("delete from silver.quarantine where position = 40", "1 rows missing"),
    ],
)
def test_silver_that_is_not_what_bronze_says_is_a_fault(
    copied: LakeSettings, statement: str, says: str
) -> None:
    with connect(copied, write=True) as connection:
        first = connection.execute("select min(landing_id) from silver.landings").fetchone()
        connection.execute(f"{statement} and landing_id = ?", first)
    _has_one_fault(copied, first[0] if first else "", says, "canopy lake replay")


def test_a_landing_that_only_silver_knows_is_a_fault(copied: LakeSettings) -> None:
    for key in open_objects(copied).keys("bronze"):
        if NOON.strftime("%Y%m%dT%H%M") in key:
            (Path(copied.root) / key).unlink()
    _has_one_fault(copied, "Silver knows the landing 20261122T1200", "bronze has no rows of it")


# botocore and its event loop leave these to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_a_bronze_in_s3_is_verified_alike(tmp_path: Path) -> None:
    with s3_service() as url:
        lake = lake_in_s3(url, tmp_path)
        landing = _land(lake)
        assert verify(lake) == Verified(landed=1, refused=0, unfinished=0, not_refined=1, faults=())
        open_objects(lake).put(landing.key, b"PAR1")
        _has_one_fault(lake, landing.key)


def _has_one_fault(lake: LakeSettings, *words: str) -> None:
    (fault,) = verify(lake).faults
    for word in words:
        assert word in fault


def _constant(rows: pa.Table, name: str, value: object, kind: pa.DataType | None = None) -> pa.Table:
    column = pa.array([value] * rows.num_rows, kind or pa.string())
    return rows.set_column(rows.column_names.index(name), name, column)


def _land(lake: LakeSettings, rows: list[list[str]] | None = None) -> Landing:
    rows = rows or [ROW]
    objects = open_objects(lake)
    return land_rows(objects, keep_raw(objects, _body(*rows), _provenance(1)), 1, rows)


def _body(*rows: list[str]) -> bytes:
    return json.dumps({"group_number": 1, "batch_number": 1, "data": rows}).encode()


def _provenance(second: int) -> Provenance:
    fetched_at = datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)
    return Provenance("covertype", 1, fetched_at, f"r{second}", "http://x", "canopy/0")
