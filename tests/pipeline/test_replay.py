"""Everything above the raw responses can be lost, and comes back."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lake.bronze.landings import Provenance, keep_raw, read_landed
from lake.bronze.predictions import PREDICTIONS
from lake.bronze.predictions import put as put_predictions
from lake.objects import Objects, open_objects
from lake.read.query import run_query
from lake.settings import LakeSettings
from pipeline.dbt import build
from pipeline.refine import refine
from pipeline.replay import Replayed, replay_bronze
from pipeline.verify.lake import Verified, verify
from source.incoming import Incoming
from source.poll import finish
from tests.lake.landed import NOON, lake_in, land, sample, spoiled, survey_rows
from tests.lake.predicted import predictions

SEGMENT = "20261122T120000000000Z-0a"
Canopy = Callable[..., subprocess.CompletedProcess[str]]
TABLES = (
    "silver.landings", "silver.sightings", "silver.observations", "silver.quarantine", "gold.training_set",
    "gold.collection_progress", "gold.predictions",
)  # fmt: skip


@pytest.fixture(scope="module")
def rows(survey: Path) -> list[list[str]]:
    return survey_rows(survey, 1_500)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> LakeSettings:
    """A lake that was built in two steps, with quarantined rows and a refused response in it."""
    folder = tmp_path_factory.mktemp("original")
    lake = lake_in(folder)
    for minute in range(3):
        dirty = [spoiled(rows[minute], Slope="110"), spoiled(rows[minute], Soil_Type="C7744")]
        land(lake, [*sample(rows, 60, minute), *dirty], minute, batch=1 + minute // 2)
        if minute == 1:
            build(lake, state=folder / "dbt")
    _keep(open_objects(lake), b"no JSON", minute=8)
    finish(open_objects(lake), Incoming(folder / "incoming"))
    put_predictions(open_objects(lake), SEGMENT, predictions(SEGMENT, rows[:5], NOON))
    build(lake, state=folder / "dbt")
    return lake


@pytest.mark.longest
def test_from_the_raw_responses_alone_come_equal_rows(original: LakeSettings, tmp_path: Path) -> None:
    for folder in ("bronze/raw", PREDICTIONS):
        shutil.copytree(Path(original.root, folder), tmp_path / "lake" / folder)
    lake = lake_in(tmp_path)
    replayed = replay_bronze(lake, {})
    assert (replayed.whole, len(replayed.written), replayed.refused, replayed.damaged) == (0, 3, 1, ())
    publication = refine(lake, state=tmp_path / "dbt", is_full_refresh=True).publication
    for table in TABLES:
        assert _content(lake, table) == _content(original, table), table
    assert publication.landings == 3
    assert verify(lake).faults == ()
    before = _bronze(lake)
    assert replay_bronze(lake, {}) == Replayed(3, written=(), refused=1, damaged=())
    assert _bronze(lake) == before


def test_nothing_is_built_where_no_response_can_be_landed(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    _keep(open_objects(lake), b"no JSON", minute=1)
    replayed = replay_bronze(lake, {})
    assert replayed == Replayed(0, written=(), refused=1, damaged=())
    assert not replayed.has_rows


def test_damaged_rows_are_written_anew_and_what_cannot_be_mended_is_named(
    rows: list[list[str]], tmp_path: Path
) -> None:
    lake = lake_in(tmp_path)
    objects = open_objects(lake)
    landings = [land(lake, sample(rows, 40, minute), minute) for minute in range(5)]
    whole = _bronze(lake)
    objects.put(landings[0].key, objects.read(landings[0].key).replace(b"none", b"n\xefne"))
    objects.put(landings[1].key, objects.read(landings[2].key))
    (tmp_path / "lake" / landings[2].key).unlink()
    objects.put(landings[3].raw_key, b"no frame")
    (tmp_path / "lake" / landings[4].raw_key).unlink()
    replayed = replay_bronze(lake, {})
    assert (replayed.whole, replayed.written) == (0, tuple(landing.key for landing in landings[:3]))
    damaged, orphan = replayed.damaged
    assert landings[3].raw_key in damaged
    assert landings[4].key in orphan
    beyond_mending = {landings[3].raw_key, landings[4].raw_key}
    assert {**whole, **_bronze(lake)} | {key: whole[key] for key in beyond_mending} == whole
    assert verify(lake).faults == replayed.damaged


def test_a_replay_that_was_stopped_halfway_goes_on_where_it_was(
    rows: list[list[str]], tmp_path: Path
) -> None:
    lake = lake_in(tmp_path)
    objects = open_objects(lake)
    for minute in range(59):  # on a busy machine all of 20 were written before the fifth was told of
        land(lake, sample(rows, 40, minute), minute)
    whole = _bronze(lake)
    shutil.rmtree(tmp_path / "lake" / "bronze" / "rows")

    def stop(what: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay_bronze(lake, {}, on_step=stop)
    landed = len(objects.keys("bronze/rows"))
    assert 5 <= landed < 59
    replayed = replay_bronze(lake, {})
    assert (replayed.whole, len(replayed.written)) == (landed, 59 - landed)
    assert _bronze(lake) == whole


def test_a_collector_at_work_and_a_replay_write_the_same(rows: list[list[str]], tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    for minute in range(20):
        land(lake, sample(rows, 40, minute), minute)
    whole = _bronze(lake)
    shutil.rmtree(tmp_path / "lake" / "bronze" / "rows")

    def collect(what: str, done: int, total: int) -> None:
        land(lake, sample(rows, 40, done), done)  # the next one, that the replay is at just now
        land(lake, sample(rows, 40, 20 + done), 20 + done)  # and one that it does not know of

    replay_bronze(lake, {}, on_step=collect)
    assert _bronze(lake).items() >= whole.items()
    assert verify(lake) == Verified(41, refused=0, unfinished=0, not_refined=41, faults=())


def test_what_was_refused_lands_once_its_form_is_declared(rows: list[list[str]], tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    objects = open_objects(lake)
    land(lake, sample(rows, 40, 1), 1)
    contracts = [*rows[:50], spoiled(rows[50], Cover_Type="6")]
    from_one = [[*row[:-1], str(int(row[-1]) + 1)] for row in contracts]
    _keep(objects, json.dumps({"group_number": 1, "batch_number": 2, "data": from_one}).encode(), minute=5)
    assert finish(objects, Incoming(tmp_path / "incoming")) == []
    assert len(objects.keys("bronze/refused")) == 1
    # One that fits as it was fetched is read as that, whatever is declared now.
    replayed = replay_bronze(lake, {"simulator": "labels_from_one"})
    assert (replayed.whole, len(replayed.written), replayed.refused) == (1, 1, 0)
    landed = read_landed(objects, replayed.written[0])
    assert landed["Cover_Type"].to_pylist() == [row[-1] for row in contracts]
    assert set(landed["adapter"].to_pylist()) == {"labels_from_one"}
    assert verify(lake) == Verified(2, refused=0, unfinished=0, not_refined=2, faults=())
    # What was read in a form once is read in it again.
    again = replay_bronze(lake, {"simulator": "none"})
    assert (again.whole, again.written) == (2, ())


def test_the_command_says_what_it_did_and_ends_with_4_where_something_is_left(
    canopy: Canopy, environment: dict[str, str], rows: list[list[str]], tmp_path: Path
) -> None:
    lake = lake_in(tmp_path)
    environment |= {"LAKE_URI": lake.uri, "LAKE_CATALOG": lake.catalog}
    assert json.loads(canopy("lake", "verify", "--json").stdout)["faults"] == []
    landing = land(lake, sample(rows, 40, 1), 1)
    (tmp_path / "lake" / landing.raw_key).unlink()
    (tmp_path / "lake" / landing.key).rename(tmp_path / "lake" / f"{landing.key[:-12]}.parquet")
    verified, replayed = canopy("lake", "verify"), canopy("lake", "replay")
    for ended in (verified, replayed):
        assert ended.returncode == 4, ended.stderr
        assert "has no raw response" in ended.stderr
    assert "Faults: 1." in verified.stdout
    assert "0 row files were whole" in replayed.stdout


def _keep(objects: Objects, body: bytes, minute: int) -> None:
    provenance = Provenance("simulator", 1, NOON.replace(minute=minute), f"r{minute}", "http://x", "1")
    keep_raw(objects, body, provenance)


def _bronze(lake: LakeSettings) -> dict[str, bytes]:
    objects = open_objects(lake)
    return {key: objects.read(key) for key in objects.keys("bronze")}


def _content(lake: LakeSettings, table: str) -> list[tuple[object, ...]]:
    return run_query(f"from {table} order by all", head=True, lake=lake).rows
