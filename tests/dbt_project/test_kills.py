"""Refines that are killed: the next one gives the same rows, and readers at the pointer see no change."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from pipeline.dbt import build
from pipeline.refine import refine
from contracts.dbt_macro import PROJECT
from expectations.settings import AuditSettings
from lake.objects import open_objects
from lake.bronze.predictions import new_segment, put
from tests.lake.published import connect_published
from tests.dbt_project.conftest import contents
from tests.lake.landed import NOON, Row, lake_in, land, sample
from tests.lake.predicted import predictions

pytestmark = pytest.mark.long

NODES = (
    "pending_landings",
    "quarantine",
    "sightings",
    "batch_rows",
    "observations",
    "landings",
    "training_set",
    "batch_profiles",
    "collection_progress",
    "predictions",
    "served_predictions_by_hour",
)
# Of a refine's steps after the build; each is logged as it begins.
STEPS = ("audit", "publish")
REFINE = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
from pathlib import Path
from pipeline.refine import refine
from tests.dbt_project.test_kills import quiet
from tests.lake.landed import lake_in
folder = Path(sys.argv[1])
refine(lake_in(folder), quiet(folder), state=folder / "dbt")
"""


@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_refine_killed_at_any_moment_is_made_good_by_the_next(
    tmp_path: Path, slice_of_survey: list[Row], request: pytest.FixtureRequest
) -> None:
    kills = max(request.config.getoption("--kills") // 6, 1)
    chance = random.Random(7)
    lake, limits = lake_in(tmp_path), quiet(tmp_path)
    minute = 10
    land(lake, sample(slice_of_survey, 400, seed=minute), minute)
    refine(lake, limits, state=tmp_path / "dbt")
    killed = 0
    for _ in range(kills):
        minute += 10
        land(lake, sample(slice_of_survey, 400, seed=minute), minute, batch=minute // 10 % 5)
        land(lake, sample(slice_of_survey, 300, seed=minute - 3), minute - 13)  # one that comes late
        segment = new_segment(NOON + timedelta(minutes=minute))
        put(open_objects(lake), segment, predictions(segment, slice_of_survey[:minute], NOON))
        publication, pinned = connect_published(lake)
        with pinned:
            seen = what_is_read(pinned)
            killed += kill_refine(tmp_path, chance)
            assert what_is_read(pinned) == seen
        now, reader = connect_published(lake)
        with reader:
            is_moved = now.publication_id > publication.publication_id
            assert is_moved or what_is_read(reader) == seen
        if chance.random() < 0.5:  # otherwise the next one is killed on top of it
            refine(lake, limits, state=tmp_path / "dbt")
    refine(lake, limits, state=tmp_path / "dbt")
    assert killed > 0
    healed = contents(lake)
    assert len(healed["silver.landings"]) == 1 + 2 * kills
    assert len(healed["gold.predictions"]) == sum(10 * (2 + kill) for kill in range(kills))
    build(lake, state=tmp_path / "dbt", is_full_refresh=True)
    assert contents(lake) == healed


def quiet(folder: Path) -> AuditSettings:
    """An audit without pages."""
    return AuditSettings(folder=folder / "audits", has_docs=False, _env_file=None)


def what_is_read(reader: duckdb.DuckDBPyConnection) -> object:
    """A hash of every row that the model would learn from."""
    return reader.execute(
        "select sha256(string_agg(t::varchar, '|' order by row_id)) from gold.training_set as t"
    ).fetchone()


def kill_refine(folder: Path, chance: random.Random) -> bool:
    """Starts a refine and kills it a moment after one of its steps; whether it was still at work."""
    step = chance.choice([f"dbt_node name={node} " for node in NODES] + [f"step={step}" for step in STEPS])
    with subprocess.Popen(
        [sys.executable, "-c", REFINE, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=PROJECT.parent,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if step in line:
                time.sleep(chance.uniform(0, 0.4))
                os.kill(process.pid, signal.SIGKILL)
                break
    return process.returncode == -signal.SIGKILL
