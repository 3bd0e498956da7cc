"""Everything above the raw responses can be lost, and comes back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from canopy.refine import refine
from canopy.replay import replay
from canopy.verify import verify
from lake.landings import Provenance, keep_raw
from lake.objects import Objects, open_objects
from lake.query import run_query
from lake.settings import LakeSettings
from source.incoming import Incoming
from source.poll import finish
from tests.lake.landed import NOON, lake_in, land, sample, spoiled, survey_rows

TABLES = (
    "silver.landings", "silver.sightings", "silver.observations", "silver.quarantine", "gold.training_set",
    "gold.collection_progress",
)  # fmt: skip


@pytest.fixture(scope="module")
def rows(survey: Path) -> list[list[str]]:
    return survey_rows(survey, 1_500)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> LakeSettings:
    """A lake that was refined twice, with quarantined rows and a refused response in it."""
    folder = tmp_path_factory.mktemp("original")
    lake = lake_in(folder)
    for minute in range(3):
        dirty = [spoiled(rows[minute], Slope="110"), spoiled(rows[minute], Soil_Type="C7744")]
        land(lake, [*sample(rows, 700, minute), *dirty], minute, batch=1 + minute // 2)
        if minute == 1:
            refine(lake, state=folder / "dbt")
    _keep(open_objects(lake), b"no JSON", minute=8)
    finish(open_objects(lake), Incoming(folder / "incoming"))
    refine(lake, state=folder / "dbt")
    return lake


def test_from_the_raw_responses_alone_come_equal_rows(original: LakeSettings, tmp_path: Path) -> None:
    shutil.copytree(Path(original.root) / "bronze" / "raw", tmp_path / "lake" / "bronze" / "raw")
    lake = lake_in(tmp_path)
    replayed = replay(lake, {}, state=tmp_path / "dbt")
    assert (replayed.whole, len(replayed.written), replayed.refused, replayed.damaged) == (0, 3, 1, ())
    for table in TABLES:
        assert _content(lake, table) == _content(original, table), table
    assert verify(lake).faults == ()
    again = replay(lake, {}, state=tmp_path / "dbt")
    assert (again.whole, again.written, again.refused) == (3, (), 1)
    assert _content(lake, "silver.sightings") == _content(original, "silver.sightings")


def test_a_damaged_lake_is_whole_again_and_what_cannot_be_mended_is_named(
    rows: list[list[str]], tmp_path: Path
) -> None:
    lake = lake_in(tmp_path)
    objects = open_objects(lake)
    landings = [land(lake, sample(rows, 700, minute), minute) for minute in range(3)]
    objects.put(landings[0].key, b"PAR1")
    objects.put(landings[1].key, objects.read(landings[2].key))
    objects.put(landings[2].raw_key, b"no frame")
    replayed = replay(lake, {}, state=tmp_path / "dbt")
    assert replayed.written == (landings[0].key, landings[1].key)
    (damage,) = replayed.damaged
    assert landings[2].raw_key in damage
    assert replayed.refined.publication.landings == 3  # the rows of the damaged response stay
    assert len(verify(lake).faults) == 1


def test_what_was_refused_lands_once_its_form_is_declared(rows: list[list[str]], tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    objects = open_objects(lake)
    land(lake, sample(rows, 700, 1), 1)
    from_one = [[*row[:-1], str(int(row[-1]) + 1)] for row in rows[:900]]
    assert "7" in {row[-1] for row in from_one}
    _keep(objects, json.dumps({"group_number": 1, "batch_number": 2, "data": from_one}).encode(), minute=5)
    assert finish(objects, Incoming(tmp_path / "incoming")) == []
    assert len(objects.keys("bronze/refused")) == 1
    replayed = replay(lake, {"simulator": "labels_from_one"}, state=tmp_path / "dbt")
    assert (replayed.whole, len(replayed.written), replayed.refused) == (1, 1, 0)
    assert run_query(
        "select adapter, landed_rows from silver.landings order by fetched_at", lake=lake
    ).rows == [
        ("none", 700),
        ("labels_from_one", 900),
    ]
    assert verify(lake).faults == ()
    # What was read in a form once is read in it again, whatever is declared now.
    again = replay(lake, {"simulator": "none"}, state=tmp_path / "dbt")
    assert (again.whole, again.written) == (2, ())


def _keep(objects: Objects, body: bytes, minute: int) -> None:
    provenance = Provenance("simulator", 1, NOON.replace(minute=minute), f"r{minute}", "http://x", "1")
    keep_raw(objects, body, provenance)


def _content(lake: LakeSettings, table: str) -> list[tuple[object, ...]]:
    return run_query(f"from {table} order by all", head=True, lake=lake).rows
