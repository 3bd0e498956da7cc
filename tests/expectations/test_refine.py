"""The whole of a refine: build, audit, publish, with readers about."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import duckdb
import pytest

from expectations.settings import AuditSettings
from lake.catalog.connection import connect
from lake.objects import open_objects
from lake.publish.pointer import latest
from lake.settings import LakeSettings
from pipeline.refine import refine
from tests.lake.landed import land, sample, survey_rows
from tests.lake.published import connect_published

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.mark.long
def test_readers_are_answered_all_the_while_and_see_one_state(
    lake: LakeSettings, limits: AuditSettings, survey: Path, tmp_path: Path
) -> None:
    state = tmp_path / "dbt"
    first = refine(lake, limits, state=state)
    assert first.publication == latest(lake)
    rows = survey_rows(survey, 3_000)
    land(lake, sample(rows, 1_000, seed=3), minute=15)

    publication, pinned = connect_published(lake)
    answers, newest = [], []
    # A refine changes its process's environment and folder; readers are in others.
    with pinned, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        refining = process.submit(refine, lake, limits, state=state)
        while not refining.done():
            answers.append(_count(pinned))
            with connect(lake) as reader:  # as `canopy sql` does: also the attaching meets no lock
                newest.append(_count(reader))
        answers.append(_count(pinned))

    second = refining.result()
    assert len(answers) > 3
    assert set(answers) == {publication.observations}  # at the pointer, nothing moved
    assert newest == sorted(newest)  # who reads the newest state sees old rows, then new ones, never fewer
    assert (second.landings, second.landed_rows, second.quarantined_rows) == (1, 1_000, 0)
    assert second.publication.observations == publication.observations + second.new_rows
    assert set(second.seconds) == {"ask", "look", "build", "audit", "publish"}
    _, moved = connect_published(lake)
    with moved, duckdb.connect(open_objects(lake).url("published/gold.duckdb"), read_only=True) as analyst:
        assert _count(moved) == _count(analyst) == second.publication.observations


def _count(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("select count(*) from gold.training_set").fetchone()
    return int(row[0]) if row else -1
