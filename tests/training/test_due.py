"""When a publication is worth a training run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.mlflow import Version
from lake.catalog.connection import connect, current_snapshot
from lake.publish.pointer import Publication
from lake.settings import LakeSettings
from tests.lake.landed import lake_in
from training.retrain_policy import FIRST, retrain_policy
from training.settings import TrainingSettings


def newest(**tags: str) -> Version:
    return Version(3, "run", {"train_rows": "800", "test_rows": "200", "accuracy_low": "0.90", **tags})


def publication_of(lake: LakeSettings, observations: int = 1000) -> Publication:
    with connect(lake, write=True) as connection:
        return Publication(2, current_snapshot(connection), datetime.now(UTC), 2, observations, 0, "passed")


@pytest.fixture
def watched(tmp_path: Path) -> LakeSettings:
    """Three landings that version 3 has learned from, and three that came since."""
    lake = lake_in(tmp_path)
    with connect(lake, write=True) as connection:
        for statement in (
            "create schema silver; create schema gold",
            "create table silver.landings as select 'old ' || n as landing_id from range(3) r (n)",
            "create table gold.batch_profiles (landing_id varchar, feature varchar, psi double)",
            "create table gold.live_scores (model_version integer, scored_rows bigint, right_rows bigint)",
            "insert into gold.batch_profiles select 'old ' || n, 'slope_deg', 9 from range(3) r (n)",
        ):
            connection.execute(statement)
    return lake


def write(lake: LakeSettings, *statements: str) -> None:
    with connect(lake, write=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("observations", "is_due"), [(1000, False), (1199, False), (1200, True), (5000, True)]
)
def test_a_run_waits_for_a_fifth_more_rows(watched: LakeSettings, observations: int, is_due: bool) -> None:
    settings = TrainingSettings(minimum_growth=0.2, drift_psi=0)
    found = retrain_policy(newest(), None, publication_of(watched, observations), watched, settings)
    assert found.is_due == is_due
    grown = f"{observations - 1000} rows are new since version 3 learned from 1000"
    assert found.reason == (grown if is_due else f"{grown}: 20% more are awaited")


def test_without_a_model_there_is_reason_enough(watched: LakeSettings) -> None:
    found = retrain_policy(None, None, publication_of(watched), watched, TrainingSettings())
    assert (found.is_due, found.reason) == (True, FIRST)


def test_new_rows_are_a_reason_that_says_how_many(watched: LakeSettings) -> None:
    found = retrain_policy(
        newest(snapshot_id="3"), None, publication_of(watched, 1300), watched, TrainingSettings()
    )
    assert found.is_due
    assert found.reason == "300 rows are new since version 3 learned from 1000"


def test_what_has_been_learned_from_has_not_drifted_and_what_came_since_may_have(
    watched: LakeSettings,
) -> None:
    learned = newest(snapshot_id=str(publication_of(watched).snapshot_id))
    for landings, psi, is_due in ((2, 0.9, False), (3, 0.1, False), (3, 0.4, True)):
        write(
            watched,
            "delete from silver.landings where landing_id like 'new%'",
            "delete from gold.batch_profiles where landing_id like 'new%'",
            f"insert into silver.landings select 'new ' || n from range({landings}) r (n)",
            "insert into gold.batch_profiles "
            f"select 'new ' || n, 'aspect_deg', {psi} from range({landings}) r (n)",
        )
        found = retrain_policy(learned, learned, publication_of(watched), watched, TrainingSettings())
        assert found.is_due is is_due, (landings, psi)
    assert "aspect_deg has drifted since version 3: a median PSI of 0.40" in found.reason
    never = TrainingSettings(drift_psi=0)
    assert not retrain_policy(learned, learned, publication_of(watched), watched, never).is_due


@pytest.mark.parametrize(
    ("rows", "right", "is_due"),
    [
        (900, 600, False),
        (4000, 3590, False),
        (4000, 3500, True),
    ],  # too few; within reach; below what was promised
)
def test_a_champion_that_does_worse_than_it_promised_is_a_reason(
    watched: LakeSettings, rows: int, right: int, is_due: bool
) -> None:
    learned = newest(snapshot_id=str(publication_of(watched).snapshot_id))
    write(watched, f"insert into gold.live_scores values (3, {rows}, {right}), (2, 100000, 0)")
    found = retrain_policy(learned, learned, publication_of(watched), watched, TrainingSettings())
    assert found.is_due is is_due
    assert ("version 3 is right on 0.8750" in found.reason) is is_due
