"""Test, then train: what the champion says of a landing before anything is learned from it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from contracts.covertype import covertype
from expectations.settings import AuditSettings
from lake.bronze.predictions import new_segment, put
from lake.objects import open_objects
from lake.publish.pointer import latest
from lake.settings import LakeSettings
from pipeline.dbt import build
from pipeline.refine import refine
from tests.dbt_project.conftest import contents
from tests.lake.landed import NOON, Row, lake_in, land, survey_rows
from tests.lake.predicted import predictions
from training.fit.rows import as_features
from training.judge.prequential import ask_champion
from training.judge.prequential_predictions import ANSWERED
from training.judge.scores import confusion_matrix, macro_f1, wilson_interval
from training.promote.registry import Registry
from training.settings import TrainingSettings
from training.train import train

CONTRACT = covertype()
NAMES = [column.name for column in CONTRACT.features]


@pytest.fixture
def watching(settings: TrainingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingSettings:
    """As `canopy refine` finds its settings: in the environment."""
    changes = {"leak_meter": False, "cache": tmp_path / "cache"}
    for name in ("mlflow_url", "model_name", "experiment"):
        monkeypatch.setenv(f"TRAINING_{name.upper()}", getattr(settings, name))
    monkeypatch.setenv("TRAINING_CACHE", str(tmp_path / "cache"))
    return settings.model_copy(update=changes)


@pytest.fixture
def rows(survey: Path) -> list[Row]:
    return survey_rows(survey, 3_000)


@pytest.mark.longest
def test_a_landing_is_scored_by_who_had_not_learned_from_it(
    watching: TrainingSettings, rows: list[Row], tmp_path: Path
) -> None:
    # A folder's name like this one is a column for a reader that looks for such partitions.
    lake, state = lake_in(tmp_path / "model_version=9" / "asked_by=nobody"), tmp_path / "dbt"
    limits = AuditSettings(folder=tmp_path / "audits")
    land(lake, rows[:1500], minute=0)
    keep_predictions(lake, rows[1600:1605], NOON + timedelta(minutes=28), version=1)  # is in gold when asked
    refine(lake, limits, state=state)
    assert live(lake) == []  # there was nobody to ask
    trained = train(watching, lake)
    assert trained.promoted, trained.reason

    # 500 rows are known, one does not fit the contract, 999 are new.
    arrived = rows[1000:2500]
    spoiled = [list(row) for row in arrived]
    spoiled[700][CONTRACT.columns.index(CONTRACT.column("Slope"))] = "110"
    spoiled[701][CONTRACT.columns.index(CONTRACT.column("Slope"))] = "steep"
    landing = land(lake, spoiled, minute=30, batch=2)
    keep_predictions(lake, arrived[605:610], NOON + timedelta(minutes=29), version=1)  # before the label came
    keep_predictions(lake, arrived[610:620], NOON + timedelta(minutes=31), version=1)  # after it
    keep_predictions(lake, arrived[:10], NOON + timedelta(minutes=29), version=1)  # of rows that were known
    refine(lake, limits, state=state)

    fresh = [row for place, row in enumerate(arrived) if place >= 500 and place not in (700, 701)]
    labels = np.array([int(row[-1]) for row in fresh])
    predicted = answers_of(watching, fresh)
    right = int(np.sum(predicted == labels))
    share = wilson_interval(right, len(fresh))
    by_asker = {row["asked_by"]: row for row in live(lake)}
    scored = by_asker["landing"]
    assert (scored["landing_id"], scored["batch_number"]) == (landing.landing_id, 2)
    assert (scored["model_version"], scored["scored_rows"], scored["right_rows"]) == (1, 998, right)
    assert [scored[f"accuracy{end}"] for end in ("", "_low", "_high")] == pytest.approx(
        [share.value, share.low, share.high], abs=1e-9
    )
    ours = macro_f1(confusion_matrix(labels, predicted, len(CONTRACT.class_names)))
    assert scored["macro_f1"] == pytest.approx(float(ours))
    assert by_asker["service"]["scored_rows"] == 10
    assert by_asker["service"]["right_rows"] == sum(int(row[-1]) == 1 for row in arrived[600:610])

    known = contents(lake)
    build(lake, state=state, is_full_refresh=True)
    assert contents(lake) == known


@pytest.mark.long
def test_a_landing_is_asked_about_once_and_not_after_it_was_published(
    watching: TrainingSettings, rows: list[Row], tmp_path: Path
) -> None:
    lake, state, limits = lake_in(tmp_path), tmp_path / "dbt", AuditSettings(folder=tmp_path / "audits")
    assert ask_champion(watching, lake).rows == 0  # nothing is published
    land(lake, rows[:1200], minute=0)
    refine(lake, limits, state=state)
    land(lake, rows[1200:1300], minute=10)
    assert ask_champion(watching, lake).problem == "there is no champion yet"
    trained = train(watching, lake)
    assert trained.promoted, trained.reason
    first = ask_champion(watching, lake)
    assert (len(first.landings), first.rows, first.version) == (1, 100, 1)
    assert ask_champion(watching, lake).landings == ()
    land(lake, rows[1300:1400], minute=20)
    build(lake, state=state)  # silver has it, no publication has
    assert ask_champion(watching, lake).rows == 100
    objects = open_objects(lake)
    assert len(objects.keys(ANSWERED)) == 2
    away = watching.model_copy(update={"mlflow_url": "http://127.0.0.1:9"})
    land(lake, rows[1400:1500], minute=30)
    assert "MLflow" in ask_champion(away, lake).problem
    refine(lake, limits, state=state)
    assert latest(lake).landings == 4


def live(lake: LakeSettings) -> list[dict[str, object]]:
    from lake.read.query import run_query

    found = run_query("from gold.live_scores", lake=lake)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def answers_of(settings: TrainingSettings, rows: list[Row]) -> np.ndarray:
    registry = Registry(settings)
    columns = dict(
        zip([column.name for column in CONTRACT.columns], map(np.array, zip(*rows, strict=True)), strict=True)
    )
    return registry.fetch(registry.version(1)).answer(as_features(columns, CONTRACT)).labels


def keep_predictions(lake: LakeSettings, rows: list[Row], at: datetime, version: int) -> None:
    """What the service logs: here it always says 1."""
    segment = new_segment(at)
    put(open_objects(lake), segment, predictions(segment, rows, at, model_version=version))
