"""A lake, proven and damaged: each damage is one sentence that says what to do."""

from __future__ import annotations

import io
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.bronze.events import Event, record
from lake.bronze.held import hold
from lake.bronze.landings import Landing, Provenance, keep_raw, land_rows, refuse
from lake.catalog.connection import connect
from lake.objects import FolderObjects, open_objects
from lake.settings import LakeSettings
from pipeline.dbt import build
from pipeline.responses import list_responses, open_raw
from pipeline.verify.lake import Verified, verify
from tests.lake.landed import NOON, lake_in, land, spoiled, survey_rows
from tests.lake.stores import lake_in_s3, s3_service

ROW = [*["2596", "51", "3", "258", "0", "510", "221", "232", "148", "6279"], "Rawah", "C7745", "4"]
OTHER = [*ROW[:-1], "5"]


# What is done to one landing's rows in silver each, and what is then said of them.
DAMAGES = {
    "delete from silver.sightings where position = 3": "row 3 of {} is missing",
    "delete from silver.quarantine where position = 40": "row 40 of {} is missing",
    "insert into silver.sightings from silver.sightings where position = 5": (
        "1 rows of {} are there more than once"
    ),
    "update silver.sightings set slope_deg = slope_deg + 1 where position = 2": (
        "row 2 of {} has another slope_deg"
    ),
    "update silver.sightings set soil_type = 'C9' where position = 2": "row 2 of {} has another soil_type",
    "update silver.sightings set row_id = 'x' where position = 2": "row 2 of {} has a row_id that is not",
    "update silver.sightings set batch_number = 9 where position < 2": (
        "row 0 of {} has another batch_number, and 1 more are not as in bronze"
    ),
    "update silver.sightings set position = 900 where position = 2": "row 2 of {} is missing, and 1 more",
    "insert into silver.quarantine by name "
    "select landing_id, position, source, group_number, batch_number, fetched_at, ['x'] as reasons "
    "from silver.sightings where position = 2": "row 2 of {} is in quarantine, and fits the contract",
    "update silver.quarantine set source_values = struct_update(source_values, Slope := '111') "
    "where position = 40": "row 40 of {} has other source_values",
    "update silver.quarantine set reasons = ['out_of_range:Aspect'] where position = 40": (
        "row 40 of {} has reasons that are not its own"
    ),
    "update silver.landings set accepted_rows = 7 where true": "accepted_rows of {} is 7, not 40",
    "update silver.landings set new_rows = 7 where true": "new_rows of {} is 7, and 40 rows were new",
    "update silver.landings set url = 'http://y' where true": "url of {} is 'http://y', not 'http://x'",
    "insert into silver.landings from silver.landings where true": "silver.landings has {} 2 times",
}


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return lake_in(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, survey: Path) -> Path:
    """Landings in silver, each with a row of each kind of quarantine, and one that silver does not know."""
    folder = tmp_path_factory.mktemp("built")
    lake, rows = lake_in(folder), survey_rows(survey, 1_000)
    dirty = [spoiled(rows[0], Slope="110"), spoiled(rows[1], Horizontal_Distance_To_Hydrology="")]
    for number in range(len(DAMAGES)):
        land(lake, [*rows[40 * number :][:40], *dirty], number)
    build(lake, state=folder / "dbt")
    land(lake, rows[:40], 50)
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


@pytest.mark.parametrize(("text", "flipped"), [(b"none", b"n\xefne"), (b"Slope", b"Sl\xefpe")])
def test_rows_with_text_that_is_none_are_a_fault(lake: LakeSettings, text: bytes, flipped: bytes) -> None:
    landing = _land(lake)
    objects = open_objects(lake)
    objects.put(landing.key, objects.read(landing.key).replace(text, flipped))
    _has_one_fault(lake, landing.key, "cannot be read", "canopy lake replay")


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
    assert verify(copied) == Verified(16, refused=0, unfinished=0, not_refined=1, faults=())


def test_silver_that_is_not_what_bronze_says_is_one_fault_for_each_landing(copied: LakeSettings) -> None:
    with connect(copied, write=True) as connection:
        ids = connection.execute("select landing_id from silver.landings order by 1").fetchall()
        assert len(ids) == len(DAMAGES)
        for (landing_id,), statement in zip(ids, DAMAGES, strict=True):
            connection.execute(f"{statement} and landing_id = '{landing_id}'")
    faults = sorted(verify(copied).faults, key=lambda fault: str(re.findall(r"\d{8}T\d{12}Z", fault)))
    assert len(faults) == len(ids)
    for (landing_id,), says, fault in zip(ids, DAMAGES.values(), faults, strict=True):
        assert says.format(landing_id) in fault
        assert "Run `canopy lake replay`" in fault


def test_distinct_rows_that_are_not_those_of_the_sightings_are_a_fault(copied: LakeSettings) -> None:
    with connect(copied, write=True) as connection:
        ids = connection.execute("select row_id from silver.observations order by 1 limit 4").fetchall()
        twice, missing, changed, moved = (row_id for (row_id,) in ids)
        for statement in (
            f"insert into silver.observations from silver.observations where row_id = '{twice}'",
            f"delete from silver.observations where row_id = '{missing}'",
            f"update silver.observations set slope_deg = slope_deg + 1 where row_id = '{changed}'",
            f"update silver.observations set first_seen_at = '2020-01-01' where row_id = '{moved}'",
        ):
            connection.execute(statement)
    first, second, third = verify(copied).faults
    assert f"the row {twice} is there more than once" in first
    assert f"the row {missing} is missing" in second
    assert f"the row {changed} is not as it was seen where it says, and 1 more" in third


def test_bronze_that_is_damaged_after_it_was_refined_is_one_fault_each(copied: LakeSettings) -> None:
    objects = open_objects(copied)
    first, second, third = objects.keys("bronze/rows")[:3]
    objects.put(first, b"PAR1")
    objects.put(second, objects.read(third))
    raw = objects.keys("bronze/raw")[2]
    objects.put(raw, b"no frame")
    unreadable, changed, damaged = verify(copied).faults
    assert first in unreadable
    assert f"{second} is not what" in changed
    assert raw in damaged


def test_rows_that_bronze_has_lost_are_a_fault_where_silver_has_them(copied: LakeSettings) -> None:
    objects = open_objects(copied)
    (Path(copied.root) / objects.keys("bronze/rows")[1]).unlink()
    _has_one_fault(copied, "Silver knows the landing 20261122T1201", "canopy lake replay")


def test_what_a_killed_build_has_left_in_silver_is_no_fault(copied: LakeSettings) -> None:
    with connect(copied, write=True) as connection:
        connection.execute("delete from silver.landings where landing_id like '20261122T1200%'")
    left = Verified(16, refused=0, unfinished=0, not_refined=2, faults=())
    assert verify(copied) == left
    with connect(copied, write=True) as connection:
        connection.execute("delete from silver.observations where first_landing_id like '20261122T1200%'")
    assert verify(copied) == left


def test_what_a_killed_build_has_begun_a_second_time_is_no_fault(copied: LakeSettings) -> None:
    with connect(copied, write=True) as connection:
        connection.execute("delete from silver.sightings where landing_id like '20261122T1200%'")
        assert verify(copied).faults
        connection.execute("update silver.pending_landings set is_finished = false")
    assert verify(copied).faults == ()


@pytest.mark.long
def test_a_landing_that_is_held_back_is_in_quarantine_whole_and_no_fault(
    copied: LakeSettings, tmp_path: Path
) -> None:
    with connect(copied) as connection:
        (held,) = connection.execute("select min(landing_id) from silver.landings").fetchone() or ("",)
    hold(open_objects(copied), str(held), ["a finding"])
    assert verify(copied).faults == ()  # the build that takes it out is still to come
    build(copied, state=tmp_path / "dbt")
    assert verify(copied).faults == ()
    with connect(copied, write=True) as connection:
        connection.execute(f"update silver.landings set is_held = false where landing_id = '{held}'")
    (fault,) = verify(copied).faults
    assert f"row 0 of {held} is in quarantine, and fits the contract, and 41 more" in fault


def test_a_file_of_silver_that_is_gone_is_a_fault(copied: LakeSettings) -> None:
    for file in (Path(copied.root) / "ducklake" / "silver" / "sightings").glob("*.parquet"):
        file.unlink()
    _has_one_fault(copied, "The lake's tables cannot be read", "sightings", "canopy lake replay")


def test_rows_that_no_landing_can_have_brought_are_a_fault(copied: LakeSettings) -> None:
    with connect(copied, write=True) as connection:
        connection.execute(
            "insert into silver.sightings by name "
            "select * replace (null as landing_id) from silver.sightings limit 1"
        )
    _has_one_fault(copied, "Silver knows the landing None", "canopy lake replay")


def test_a_flipped_bit_of_a_response_or_its_provenance_is_found_wherever_it_is(lake: LakeSettings) -> None:
    landing = _land(lake)
    objects = open_objects(lake)
    whole, kept = objects.read(landing.raw_key), open_raw(objects, landing.raw_key)
    faults = 0
    for place in range(len(whole)):
        flipped = bytes([whole[place] ^ 1])
        objects.put(landing.raw_key, whole[:place] + flipped + whole[place + 1 :])
        if verify(lake).faults:
            faults += 1
        else:
            assert open_raw(objects, landing.raw_key) == kept  # a bit that neither JSON nor zstd reads
    assert faults > 0.9 * len(whole)


def test_an_event_that_was_changed_is_a_fault(lake: LakeSettings) -> None:
    objects = open_objects(lake)
    key = record(objects, Event("end_of_data", "covertype", 1, NOON, "http://x", "the end"))
    assert verify(lake).faults == ()
    objects.put(key, objects.read(key).replace(b"the end", b"THE END"))
    _has_one_fault(lake, key, "Restore it from a backup")


def test_rows_in_another_form_are_right_only_where_their_response_has_it(lake: LakeSettings) -> None:
    objects = open_objects(lake)
    from_one = [[*ROW[:-1], "7"], [*ROW[:-1], "1"]]
    refused = keep_raw(objects, _body(*from_one), _provenance(1))
    refuse(objects, refused, "its labels are 1-7")
    land_rows(objects, refused, 1, [[*ROW[:-1], "6"], [*ROW[:-1], "0"]], "labels_from_one")
    assert verify(lake) == Verified(landed=1, refused=0, unfinished=0, not_refined=1, faults=())
    ambiguous = keep_raw(objects, _body(ROW), _provenance(2))
    land_rows(objects, ambiguous, 1, [[*ROW[:-1], "3"]], "labels_from_one")
    _has_one_fault(lake, ambiguous.landing_id, "in Cover_Type, adapter", "canopy lake replay")


class Busy(FolderObjects):
    """A store in which a collector lands another response each time that something is listed."""

    def __init__(self, lake: LakeSettings) -> None:
        super().__init__(Path(lake.root))
        self._lake, self._seconds = lake, 1

    def keys(self, prefix: str) -> list[str]:
        found = super().keys(prefix)
        self._seconds += 1
        _land(self._lake, second=self._seconds)
        return found


def test_no_response_seems_to_be_missing_while_a_collector_lands(lake: LakeSettings) -> None:
    responses = list_responses(Busy(lake))
    assert len(responses) == 2
    assert all(response.raw for response in responses)


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


def _land(lake: LakeSettings, rows: list[list[str]] | None = None, second: int = 1) -> Landing:
    rows = rows or [ROW]
    objects = open_objects(lake)
    return land_rows(objects, keep_raw(objects, _body(*rows), _provenance(second)), 1, rows)


def _body(*rows: list[str]) -> bytes:
    return json.dumps({"group_number": 1, "batch_number": 1, "data": rows}).encode()


def _provenance(second: int) -> Provenance:
    fetched_at = datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)
    return Provenance("covertype", 1, fetched_at, f"r{second}", "http://x", "canopy/0")
