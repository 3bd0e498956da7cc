"""A prediction leads back to the responses that its model has learned from."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from canopy.commands.lineage import lineage
from contracts.errors import RequestUnknown
from lake.bronze.landings import Landing, read_raw
from lake.bronze.predictions import put
from lake.catalog.connection import connect, current_snapshot
from lake.objects import open_objects
from lake.read.lineage import trace
from lake.settings import LakeSettings
from pipeline.dbt import build
from tests.lake.landed import NOON, Row, lake_in, land, side, survey_rows
from tests.lake.predicted import predictions

pytestmark = pytest.mark.long  # a lake is built for it, twice

EARLY, LATE = "20261122T120000000000Z-0a", "20261122T130000000000Z-0b"
GONE = 1_000_000


@pytest.fixture(scope="module")
def rows(survey: Path) -> list[Row]:
    return survey_rows(survey, 300)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeSettings:
    return lake_in(tmp_path_factory.mktemp("traced"))


@pytest.fixture(scope="module")
def landings(lake: LakeSettings, rows: list[Row]) -> list[Landing]:
    """Two that the model has learned from, the second with 50 rows of the first, and one that came after.

    One segment of the log is in gold, one is not yet.
    """
    state, objects = Path(lake.root).parent / "dbt", open_objects(lake)
    landed = [land(lake, rows[:100], 0), land(lake, rows[50:200], 1, batch=2)]
    build(lake, state=state)
    with connect(lake) as connection:
        learned_at = current_snapshot(connection)
    put(objects, EARLY, predictions(EARLY, rows[:3], NOON, model_snapshot_id=learned_at))
    landed.append(land(lake, rows[200:], 2, batch=3))
    build(lake, state=state)
    later = NOON + timedelta(hours=1)
    put(
        objects,
        LATE,
        predictions(LATE, rows[:1], later, model_snapshot_id=learned_at, flags=["soil_type:rare"]),
    )
    return landed


def test_a_prediction_leads_to_the_responses_that_its_model_has_learned_from(
    lake: LakeSettings, landings: list[Landing], rows: list[Row]
) -> None:
    traced = trace(lake, f"of-{EARLY}")
    assert [(row["segment"], row["position"]) for row in traced.predictions] == [(EARLY, n) for n in range(3)]
    (origin,) = traced.origins
    assert (origin.model_name, origin.model_version, origin.missing) == ("forest", 1, None)
    found = {one.landing_id: one for one in origin.responses}
    assert list(found) == [landing.landing_id for landing in landings[:2]]
    learned = [sum(side(row[:-1]) == "train" for row in part) for part in (rows[:100], rows[100:200])]
    assert [one.learned_rows for one in origin.responses] == learned
    body = json.loads(read_raw(open_objects(lake), origin.responses[1].raw_key)[0])
    assert body["data"] == rows[50:200]


def test_a_prediction_is_found_before_a_refine_takes_it_in(
    lake: LakeSettings, landings: list[Landing]
) -> None:
    assert [row["segment"] for row in trace(lake, f"of-{LATE}").predictions] == [LATE]
    with pytest.raises(RequestUnknown, match="'nobody'"):
        trace(lake, "nobody")


def test_what_is_not_known_of_a_version_is_said(
    lake: LakeSettings, landings: list[Landing], rows: list[Row]
) -> None:
    for number, snapshot_id in (("0c", None), ("0d", GONE)):
        segment = f"20261122T140000000000Z-{number}"
        values = {"request_id": "the caller's own", "model_version": 2, "model_snapshot_id": snapshot_id}
        put(open_objects(lake), segment, predictions(segment, rows[:1], NOON, **values))
    traced = trace(lake, "the caller's own")
    assert [row["segment"][-2:] for row in traced.predictions] == ["0c", "0d"]
    none, gone = (str(origin.missing) for origin in traced.origins)
    assert "names no snapshot" in none
    assert "no longer" in gone


def test_the_command_shows_it_to_people_and_programs(
    lake: LakeSettings, landings: list[Landing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKE_URI", lake.uri)
    monkeypatch.setenv("LAKE_CATALOG", lake.catalog)
    app, runner = typer.Typer(), CliRunner()
    app.command()(lineage)
    shown = runner.invoke(app, [f"of-{LATE}"], catch_exceptions=False).stdout
    for part in (
        "row 0: Lodgepole Pine 50%, version 1",
        "soil_type:rare",
        "of 2 responses, at snapshot",
        landings[0].raw_key,
    ):
        assert part in shown
    printed = runner.invoke(app, [f"of-{LATE}", "--json"], catch_exceptions=False).stdout
    answer = json.loads(printed)
    assert answer["predictions"][0]["predicted_at"] == "2026-11-22T13:00:00+00:00"
    assert [one["raw_key"] for one in answer["origins"][0]["responses"]] == [
        landing.raw_key for landing in landings[:2]
    ]
