"""Segments of predictions become few objects, and whoever reads at any moment reads each row once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from contracts.dbt_macro import PROJECT
from lake.bronze.merging import merge_predictions
from lake.bronze.predictions import PREDICTIONS, READ, files_without, merged_digest, put
from lake.catalog.connection import connect
from lake.objects import open_objects
from lake.publish.pointer import latest
from lake.read.lineage import predictions_of
from lake.settings import LakeSettings
from pipeline.verify.predictions import prediction_faults
from tests.lake.landed import NOON, Row, lake_in, survey_rows
from tests.lake.predicted import predictions
from tests.lake.published import make_countable, publish_after

DAYS, SEGMENTS = 2, 4
MORNING = NOON + timedelta(days=DAYS, hours=-9)  # at three, when the last of the days has been over for long
DAY_LATER = MORNING + timedelta(days=1)
# Dies as it asks the store for the nth change, before or after that is made.
DYING = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from lake.bronze.merging import merge_predictions
from lake.objects import FolderObjects
from tests.lake.landed import lake_in
folder, moment, name, number, when = sys.argv[1:]
made, calls = getattr(FolderObjects, name), []
def change(self, *arguments):
    calls.append(1)
    if len(calls) == int(number) and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    made(self, *arguments)
    if len(calls) == int(number):
        os.kill(os.getpid(), signal.SIGKILL)
setattr(FolderObjects, name, change)
merge_predictions(lake_in(Path(folder)), now=datetime.fromisoformat(moment))
"""


@pytest.fixture
def rows(survey: Path) -> list[Row]:
    return survey_rows(survey, 30)


@pytest.fixture
def lake(tmp_path: Path, rows: list[Row]) -> LakeSettings:
    """Segments of two days, all of them in published gold."""
    lake = lake_in(tmp_path)
    for day in range(DAYS):
        for number in range(SEGMENTS):
            log(lake, rows[: 3 + number], NOON + timedelta(days=day, seconds=30 * number))
    make_countable(lake)
    files = files_without(open_objects(lake), set())
    publish_after(lake, f"create table gold.predictions as from read_parquet({files})")
    return lake


def test_a_day_that_is_over_becomes_one_object_and_a_day_later_the_only_one(lake: LakeSettings) -> None:
    before = seen(lake)
    merged = merge_predictions(lake, now=MORNING)
    assert (merged.segments, merged.objects, merged.removed) == (8, 2, 0)
    assert (merged.objects_before, merged.objects_after) == (8, 10)
    assert seen(lake) == before
    assert merge_predictions(lake, now=MORNING).segments == 0
    again = merge_predictions(lake, now=DAY_LATER)
    assert (again.segments, again.removed, again.objects_after) == (0, 8, 2)
    assert seen(lake) == before
    assert all(merged_digest(key) for key in open_objects(lake).keys(PREDICTIONS))
    assert faults(lake) == []
    assert merge_predictions(lake, now=DAY_LATER).objects_before == 2


def test_a_day_that_is_not_over_and_what_gold_does_not_have_stay_as_they_are(
    lake: LakeSettings, rows: list[Row]
) -> None:
    late = [log(lake, rows[:2], NOON + timedelta(hours=number)) for number in (1, 2)]
    before = seen(lake)
    merged = merge_predictions(lake, now=NOON + timedelta(days=1))
    assert (merged.segments, merged.objects) == (4, 1)
    merge_predictions(lake, now=DAY_LATER)
    merge_predictions(lake, now=DAY_LATER + timedelta(days=2))
    keys = open_objects(lake).keys(PREDICTIONS)
    assert [key for key in keys if not merged_digest(key)] == late
    assert seen(lake) == before
    assert {row["request_id"] for row in predictions_of(lake, f"of-{stem(late[0])}")} == {
        f"of-{stem(late[0])}"
    }


def test_segments_that_come_late_are_merged_with_each_other(lake: LakeSettings, rows: list[Row]) -> None:
    merge_predictions(lake, now=MORNING)
    merge_predictions(lake, now=DAY_LATER)
    late = [log(lake, rows[:2], NOON + timedelta(hours=number)) for number in (1, 2)]
    files = [open_objects(lake).url(key) for key in late]
    publish_after(lake, f"insert into gold.predictions from read_parquet({files})")
    before = seen(lake)
    assert merge_predictions(lake, now=DAY_LATER).objects == 1
    assert merge_predictions(lake, now=DAY_LATER + timedelta(days=1)).removed == 2
    assert len(open_objects(lake).keys(PREDICTIONS)) == 3
    assert seen(lake) == before
    assert faults(lake) == []


@pytest.mark.parametrize("damaged", ["segment", "merged"])
def test_what_is_damaged_stays_is_named_and_keeps_nothing_else(lake: LakeSettings, damaged: str) -> None:
    objects = open_objects(lake)
    merge_predictions(lake, now=MORNING)
    keys = objects.keys(PREDICTIONS)
    (attacked, *_) = [key for key in keys if bool(merged_digest(key)) == (damaged == "merged")]
    body = objects.read(attacked)
    objects.put(attacked, body.replace(b"of-2026", b"of-2027"))
    merged = merge_predictions(lake, now=DAY_LATER)
    # Nothing is removed for a merged object that is not what was written: that day is merged anew.
    assert merged.removed == (7 if damaged == "segment" else 4)
    assert any(attacked in fault for fault in merged.faults)
    assert objects.exists(attacked)
    assert any(attacked.rpartition("/")[2] in fault for fault in faults(lake))
    objects.put(attacked, body)
    assert faults(lake) == []


def test_a_segment_with_other_rows_than_its_merged_object_stays(lake: LakeSettings, rows: list[Row]) -> None:
    merge_predictions(lake, now=MORNING)
    objects = open_objects(lake)
    (key, *_) = [key for key in objects.keys(PREDICTIONS) if not merged_digest(key)]
    objects.remove(key)
    put(objects, stem(key), predictions(stem(key), rows[:3], NOON, predicted=6))
    (fault,) = merge_predictions(lake, now=DAY_LATER).faults
    assert f"{key} has other rows than the object that it was merged into" in fault
    assert objects.exists(key)
    assert any(f"{stem(key)} of predictions has other values than in gold" in fault for fault in faults(lake))


@pytest.mark.parametrize(
    ("moment", "change", "number", "when"),
    [
        (MORNING, "put_new", 1, "before"),
        (MORNING, "put_new", 1, "after"),
        pytest.param(MORNING, "put_new", 2, "before", marks=pytest.mark.long),
        pytest.param(MORNING, "put_new", 2, "after", marks=pytest.mark.long),
        pytest.param(DAY_LATER, "remove", 1, "before", marks=pytest.mark.long),
        (DAY_LATER, "remove", 3, "after"),
        pytest.param(DAY_LATER, "remove", 8, "after", marks=pytest.mark.long),
    ],
)
def test_a_merge_that_is_killed_loses_nothing_and_doubles_nothing(
    lake: LakeSettings, tmp_path: Path, moment: datetime, change: str, number: int, when: str
) -> None:
    before = seen(lake)
    if change == "remove":
        merge_predictions(lake, now=MORNING)
    command = [sys.executable, "-c", DYING, str(tmp_path), moment.isoformat(), change, str(number), when]
    died = subprocess.run(command, cwd=PROJECT.parent, env=dict(os.environ), timeout=120)
    assert died.returncode == -signal.SIGKILL
    assert seen(lake) == before
    assert faults(lake) == []
    for later in (MORNING, DAY_LATER, DAY_LATER + timedelta(days=1)):
        merge_predictions(lake, now=later)
        assert seen(lake) == before
    assert len(open_objects(lake).keys(PREDICTIONS)) == DAYS
    assert faults(lake) == []


def test_a_merged_segment_that_a_catalog_of_before_lacks_is_a_fault(lake: LakeSettings) -> None:
    merge_predictions(lake, now=MORNING)
    merge_predictions(lake, now=DAY_LATER)
    with connect(lake) as connection:
        (lost,) = connection.execute(
            "select segment from gold.predictions where segment > '20261122T120000000000Z-0a' order by 1"
        ).fetchone() or ("",)
    publish_after(lake, f"delete from gold.predictions where segment = '{lost}'")
    (fault,) = faults(lake)
    assert f"gold.predictions lacks the segment {lost}" in fault


def test_a_lake_without_a_publication_merges_nothing(tmp_path: Path, rows: list[Row]) -> None:
    lake = lake_in(tmp_path)
    log(lake, rows, NOON)
    assert merge_predictions(lake, now=DAY_LATER).objects_after == 1


def log(lake: LakeSettings, rows: list[Row], at: datetime) -> str:
    segment = f"{at:%Y%m%dT%H%M%S%fZ}-0a"
    return put(open_objects(lake), segment, predictions(segment, rows, at))


def stem(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".parquet")


def seen(lake: LakeSettings) -> list[tuple[object, ...]]:
    """Every row of the log, read as by somebody who has none of it in gold."""
    with connect(lake) as connection:
        files = files_without(open_objects(lake), set())
        query = f"select segment, sequence, request_id, predicted from ({READ}) order by all"
        return connection.execute(query, {"files": files}).fetchall()


def faults(lake: LakeSettings) -> list[str]:
    publication = latest(lake)
    assert publication is not None
    with connect(lake, snapshot_id=publication.snapshot_id) as connection:
        return list(prediction_faults(connection, open_objects(lake)))
