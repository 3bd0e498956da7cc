"""What the service had said of rows before their label came."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lake.bronze.predictions import put
from lake.catalog.connection import connect, current_snapshot
from lake.objects import open_objects
from lake.publish.pointer import publish
from lake.settings import LakeSettings
from pipeline.dbt import build
from tests.lake.landed import NOON, Row, lake_in, land, survey_rows
from tests.lake.predicted import predictions
from training.judge.prequential_predictions import question

BEFORE, LATER, AFTER = (NOON + timedelta(minutes=minute) for minute in (28, 29, 31))


@pytest.mark.long
def test_earlier_answers_are_found_in_gold_and_in_segments_that_it_does_not_have_yet(
    survey: Path, tmp_path: Path
) -> None:
    rows, lake = survey_rows(survey, 60), lake_in(tmp_path)
    land(lake, rows[:20], minute=0)
    log(lake, "0a", rows[15:30], version=1)  # the first five were known when the next landing came
    build(lake, state=tmp_path / "dbt")
    with connect(lake) as connection:
        publication = publish(lake, current_snapshot(connection), "")
    log(
        lake, "0b", rows[25:35], version=1, at=LATER
    )  # some are asked a second time, and the last answer counts
    log(lake, "0c", rows[25:27], version=2)
    log(lake, "0d", rows, version=1, at=AFTER)
    landing = land(lake, rows[10:60], minute=30)
    earlier = question(lake, publication, landing.key).earlier.to_pylist()
    asked = [(row["position"], row["model_version"]) for row in earlier]
    assert asked == [
        (place, version) for place in range(10, 25) for version in (1, 2)[: 1 + (place in (15, 16))]
    ]
    once, again = (
        {
            row["asked_at"]
            for row in earlier
            if row["model_version"] == 1 and (row["position"] >= 15) is is_again
        }
        for is_again in (False, True)
    )
    assert (once, again) == ({BEFORE}, {LATER})


def log(lake: LakeSettings, name: str, rows: list[Row], version: int, at: datetime = BEFORE) -> None:
    segment = f"{at:%Y%m%dT%H%M%S%fZ}-{name}"
    put(open_objects(lake), segment, predictions(segment, rows, at, model_version=version))
