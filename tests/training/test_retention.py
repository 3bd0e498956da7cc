"""Models go when nothing needs them any more, with their files; whatever may be asked for stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.artifact import artifact_repository_registry
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from clients.mlflow import Version
from contracts.model_artefact import CHAMPION, PREVIOUS, Tag
from lake.catalog.connection import connect
from lake.settings import LakeSettings
from tests.lake.landed import lake_in
from tests.lake.published import make_countable, publish_after
from training.fit.search import WINNER
from training.promote.registry import Registry, _remove_files
from training.promote.retention import Retained, cited_versions, retain
from training.settings import TrainingSettings

LATER = datetime.now(UTC) + timedelta(days=100)  # than all that a test makes
TABLES = (
    "create table gold.live_scores (model_name text, model_version int, fetched_at timestamptz)",
    "create table gold.predictions (model_name text, model_version int, shadow_version int, "
    "predicted_at timestamptz)",
)


@pytest.fixture
def cited(tmp_path: Path) -> LakeSettings:
    """A published lake whose gold can cite versions, and cites none yet."""
    lake = lake_in(tmp_path)
    make_countable(lake)
    with connect(lake, write=True) as connection:
        for statement in TABLES:
            connection.execute(statement)
    publish_after(lake, "insert into silver.landings values ('one')")
    return lake


def few(settings: TrainingSettings, **more: float) -> TrainingSettings:
    """Settings that keep as little as they can."""
    return settings.model_copy(update={"keep_versions": 1, "keep_champions": 1, "keep_days": 90.0, **more})


def run_of(settings: TrainingSettings, folder: Path, **tags: str) -> tuple[str, str, str]:
    """A run with a file and a model with one. Returns: the run, the model, and where the model lies."""
    Registry(settings)
    mlflow.set_experiment(settings.experiment)
    (folder / "MLmodel").write_text("flavors: {}\n")
    with mlflow.start_run(tags=tags) as run:
        mlflow.log_dict({"of": "the run"}, "scores.json")
        model = mlflow.initialize_logged_model(name="model", source_run_id=run.info.run_id)
        mlflow.MlflowClient().log_model_artifact(model.model_id, str(folder / "MLmodel"))
        mlflow.finalize_logged_model(model.model_id, "READY")
    return run.info.run_id, model.model_id, model.artifact_location


def version_of(settings: TrainingSettings, folder: Path, verdict: str = "refused") -> Version:
    """A version as a training leaves it, without the learning."""
    _, model, _ = run_of(settings, folder, snapshot_id="7")
    return Registry(settings).register(f"models:/{model}", {"snapshot_id": "7", Tag.VERDICT: verdict})


def left(settings: TrainingSettings) -> list[int]:
    return sorted(version.number for version, _ in Registry(settings).all_versions())


def files(uri: str) -> int:
    return len(get_artifact_repository(uri).list_artifacts())


def retained(settings: TrainingSettings, lake: LakeSettings, now: datetime = LATER) -> Retained:
    return retain(settings, lake, now=now)


@pytest.mark.long
def test_each_version_that_may_be_asked_for_stays_and_says_why(
    settings: TrainingSettings, cited: LakeSettings, tmp_path: Path
) -> None:
    for verdict in [
        "promoted",
        "promoted",
        "refused",
        "awaiting",
        "refused",
        "refused",
        "refused",
        "promoted",
        "refused",
    ]:
        version_of(settings, tmp_path, verdict)
    registry = Registry(settings)
    registry.point(CHAMPION, 8)
    registry.point(PREVIOUS, 2)
    registry.point("shadow", 3)
    publish_after(
        cited,
        f"insert into gold.live_scores values ('{settings.model_name}', 5, now() + interval 50 day)",
        f"insert into gold.predictions values ('{settings.model_name}', 8, 6, now() + interval 50 day)",
        f"insert into gold.predictions values ('{settings.model_name}', 1, 7, now() - interval 1 day)",
        "insert into gold.predictions values ('another', 7, 7, now() + interval 50 day)",
    )
    dry = retain(few(settings), cited, is_dry=True, now=LATER)
    assert left(settings) == list(range(1, 10))
    done = retained(few(settings), cited)
    assert (done.versions, done.runs) == (dry.versions, dry.runs)
    assert done.versions == [1, 7]
    assert left(settings) == [2, 3, 4, 5, 6, 8, 9]
    assert done.kept == {
        2: "it is the previous",
        3: "it is the shadow",
        4: "a person is asked about it",
        5: "gold cites it",
        6: "gold cites it",
        8: "it is the champion",
        9: "it is one of the newest 1",
    }


def test_champions_that_may_be_gone_back_to_are_counted(
    settings: TrainingSettings, cited: LakeSettings, tmp_path: Path
) -> None:
    for verdict in ("promoted", "refused", "promoted", "refused", "refused"):
        version_of(settings, tmp_path, verdict)
    assert retained(few(settings, keep_champions=2), cited).versions == [2, 4]
    assert retained(few(settings, keep_champions=1), cited).versions == [1]


def test_nothing_young_goes(settings: TrainingSettings, cited: LakeSettings, tmp_path: Path) -> None:
    for _ in range(3):
        version_of(settings, tmp_path)
    done = retain(few(settings), cited)
    assert (done.versions, done.runs) == ([], [])
    assert set(done.kept.values()) == {"it is one of the newest 1", "it is younger than 90 days"}


def test_the_files_go_with_the_version_and_its_run(
    settings: TrainingSettings, cited: LakeSettings, tmp_path: Path
) -> None:
    client = Registry(settings).client
    old, new = version_of(settings, tmp_path), version_of(settings, tmp_path)
    places = [_places(client, version) for version in (old, new)]
    assert [files(place) for place in (*places[0], *places[1])] == [1, 1, 1, 1]
    assert retained(few(settings), cited).runs == [old.run_id]
    assert [files(place) for place in (*places[0], *places[1])] == [0, 0, 1, 1]
    assert client.get_run(old.run_id).info.lifecycle_stage == "deleted"
    assert retained(few(settings), cited) == Retained({2: "it is one of the newest 1"}, [], [], False)


def _places(client: mlflow.MlflowClient, version: Version) -> tuple[str, str]:
    run = client.get_run(version.run_id)
    (model,) = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{version.run_id}'")
    return run.info.artifact_uri, model.artifact_location


def test_what_was_killed_halfway_is_finished_the_next_time(
    settings: TrainingSettings, cited: LakeSettings, tmp_path: Path
) -> None:
    old, _ = version_of(settings, tmp_path), version_of(settings, tmp_path)
    Registry(settings).forget(old)
    assert retained(few(settings), cited).runs == [old.run_id]


def test_runs_that_canopy_has_not_made_stay_and_so_does_the_newest_search(
    settings: TrainingSettings, cited: LakeSettings, tmp_path: Path
) -> None:
    theirs, *_ = run_of(settings, tmp_path)
    searches, trials = [], []
    for _ in range(2):
        with mlflow.start_run(tags={"snapshot_id": "7", WINNER: "{}"}) as search:
            with mlflow.start_run(nested=True) as trial:
                trials.append(trial.info.run_id)
            searches.append(search.info.run_id)
    with mlflow.start_run(), mlflow.start_run(nested=True) as nested_in_theirs:
        pass
    assert set(retained(few(settings), cited).runs) == {searches[0], trials[0]}
    kept = {run.info.run_id for run in Registry(settings).runs(settings.experiment)}
    assert {theirs, searches[1], trials[1], nested_in_theirs.info.run_id} <= kept


def test_files_that_a_run_claims_elsewhere_are_nobodys_to_remove(
    settings: TrainingSettings, cited: LakeSettings, tmp_path: Path
) -> None:
    """Whoever may write to MLflow can make an experiment that has its files anywhere."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "precious").touch()
    client = Registry(settings).client
    for number, place in enumerate((f"file://{theirs}", str(theirs), "mlflow-artifacts:/0")):
        own = settings.model_copy(update={"experiment": f"{settings.experiment} {number}"})
        try:
            experiment = client.create_experiment(own.experiment, artifact_location=place)
        except MlflowException:
            continue  # the server does not let it
        claimed = client.create_run(experiment, tags={"snapshot_id": "7"})
        client.set_terminated(claimed.info.run_id)
        assert retained(few(own), cited).runs == [claimed.info.run_id]
    assert (theirs / "precious").exists()


@pytest.mark.parametrize(
    "uri",
    [
        "file:///{folder}/1/run/artifacts",
        "{folder}",
        "mlflow-artifacts:/0/run/artifacts",
        "mlflow-artifacts:/1/../0/run/artifacts",
        "mlflow-artifacts:/1/run/artifacts/..",
        "mlflow-artifacts://elsewhere/1/run/artifacts",
        "s3://bucket/1/run/artifacts",
        "",
    ],
)
def test_no_place_but_the_servers_own_is_emptied(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> None:
        raise AssertionError("it would have been emptied")

    monkeypatch.setattr(artifact_repository_registry, "get_artifact_repository", refuse)
    _remove_files(uri.format(folder=tmp_path), "1/run/artifacts")
    with pytest.raises(AssertionError, match="emptied"):
        _remove_files("mlflow-artifacts:/1/run/artifacts", "1/run/artifacts")


def test_nothing_goes_where_gold_cannot_be_asked(
    settings: TrainingSettings, cited: LakeSettings, tmp_path: Path
) -> None:
    for _ in range(2):
        version_of(settings, tmp_path)
    Path(cited.catalog_target).write_bytes(b"no catalog" * 100)
    with pytest.raises(Exception, match="catalog"):
        retained(few(settings), cited)
    assert left(settings) == [1, 2]


def test_without_models_or_a_publication_there_is_nothing_to_do(
    settings: TrainingSettings, tmp_path: Path
) -> None:
    assert retained(few(settings), lake_in(tmp_path)) == Retained({}, [], [], False)
    assert cited_versions(lake_in(tmp_path), "it's", LATER) == set()
