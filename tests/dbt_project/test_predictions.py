"""What the service has logged comes into gold: each segment once, however the builds came about."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.dbt import build
from contracts.covertype import covertype
from contracts.dbt_macro import PROJECT
from lake.catalog.connection import connect, current_snapshot
from lake.bronze.merging import merge_predictions
from lake.objects import open_objects
from lake.bronze.predictions import PREDICTIONS, SCHEMA, put, read
from lake.publish.pointer import publish
from lake.settings import LakeSettings
from tests.dbt_project.conftest import contents, select
from tests.lake.landed import NOON, Row, lake_in
from tests.lake.predicted import predictions

BUILD = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
from pathlib import Path
from pipeline.dbt import build
from tests.lake.landed import lake_in
build(lake_in(Path(sys.argv[1])), state=Path(sys.argv[1], "dbt"))
"""
NEXT_HOUR, NEXT_DAY = NOON + timedelta(hours=1), NOON + timedelta(days=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "model_version=9"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def lake(folder: Path, slice_of_survey: list[Row]) -> LakeSettings:
    """Segments that came before and after a build that was killed, the last one late."""
    lake = lake_in(folder)
    first = log(lake, "0a", slice_of_survey[:30], NOON, shadow_version=2, shadow_predicted=1)
    build(lake, state=folder / "dbt")
    second = log(lake, "0b", slice_of_survey[:7], NEXT_DAY, shadow_version=2, shadow_predicted=4, flags=["x"])
    with unreadable(first):
        kill_build_after("predictions", folder)
    log(lake, "0c", slice_of_survey[:5], NEXT_HOUR, model_version=2, latency_ms=8.0)
    log(lake, "0d", slice_of_survey[:9], NOON)
    with unreadable(first), unreadable(second):
        build(lake, state=folder / "dbt")
    return lake


def test_gold_has_every_row_of_every_segment_once(lake: LakeSettings) -> None:
    counts = "select request_id, count(*), count(distinct sequence) from gold.predictions group by 1 order by 1"
    assert select(lake, counts) == [("of-0a", 30, 30), ("of-0b", 7, 7), ("of-0c", 5, 5), ("of-0d", 9, 9)]


def test_a_row_is_what_the_service_logged_and_names_beside_it(lake: LakeSettings) -> None:
    objects = open_objects(lake)
    logged = read(objects, next(key for key in objects.keys(PREDICTIONS) if key.endswith("-0b.parquet")))
    with connect(lake) as connection:
        found = connection.execute(
            "from gold.predictions where request_id = 'of-0b' order by sequence"
        ).to_arrow_table()
    assert found.select(SCHEMA.names).cast(SCHEMA).equals(logged)
    names = covertype().class_names
    assert set(found["predicted_name"].to_pylist()) == {names[1]}
    assert set(found["shadow_predicted_name"].to_pylist()) == {names[4]}
    assert set(found.column_names) - set(SCHEMA.names) == {"predicted_name", "shadow_predicted_name"}


def test_what_is_summed_up_is_all_of_it(lake: LakeSettings) -> None:
    assert select(lake, "from gold.served_predictions_by_hour order by hour_at") == [
        (NOON, "forest", 1, 2, 39, 0, 2.5, 2.5),
        (NEXT_HOUR, "forest", 2, 1, 5, 0, 8.0, 8.0),
        (NEXT_DAY, "forest", 1, 1, 7, 7, 2.5, 2.5),
    ]
    agreed = "predicted_date, model_version, shadow_version, asked_rows, agreed_rows, agreement"
    assert select(lake, f"select {agreed} from gold.shadow_agreement order by 1") == [
        (NOON.date(), 1, 2, 30, 30, 1.0),
        (NEXT_DAY.date(), 1, 2, 7, 0, 0.0),
    ]


def test_a_build_without_a_new_segment_changes_nothing(lake: LakeSettings, folder: Path) -> None:
    before = snapshot(lake)
    build(lake, state=folder / "dbt")
    assert snapshot(lake) == before


@pytest.mark.long
def test_building_from_nothing_gives_the_same_rows(lake: LakeSettings, folder: Path) -> None:
    before = contents(lake)
    build(lake, state=folder / "dbt", is_full_refresh=True)
    assert contents(lake) == before


@pytest.mark.long
def test_merged_segments_are_taken_once_beside_those_that_are_not_removed_yet(
    lake: LakeSettings, folder: Path
) -> None:
    before = contents(lake)
    publish(lake, snapshot(lake), "held")
    assert merge_predictions(lake, now=NEXT_DAY + timedelta(days=2)).segments == 3
    now = snapshot(lake)
    build(lake, state=folder / "dbt")
    assert snapshot(lake) == now
    build(lake, state=folder / "dbt", is_full_refresh=True)
    assert contents(lake) == before
    assert merge_predictions(lake, now=NEXT_DAY + timedelta(days=4)).removed == 3
    build(lake, state=folder / "dbt", is_full_refresh=True)
    assert contents(lake) == before


def log(lake: LakeSettings, name: str, rows: list[Row], at: datetime, **values: Any) -> Path:
    """Puts a segment into the store; its file."""
    segment = f"{at:%Y%m%dT%H%M%S%fZ}-{name}"
    table = predictions(segment, rows, at, **{"request_id": f"of-{name}"} | values)
    return Path(lake.root, put(open_objects(lake), segment, table))


@contextmanager
def unreadable(file: Path) -> Iterator[None]:
    """Whoever opens it within fails."""
    body = file.read_bytes()
    file.write_bytes(b"not a Parquet file")
    yield
    file.write_bytes(body)


def kill_build_after(node: str, folder: Path) -> None:
    command = [sys.executable, "-c", BUILD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT.parent) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(f"dbt_node name={node} status=success"):
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL


def snapshot(lake: LakeSettings) -> int:
    with connect(lake) as connection:
        return current_snapshot(connection)
