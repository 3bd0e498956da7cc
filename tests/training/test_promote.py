"""Which version answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mlflow.artifacts import download_artifacts
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from contracts.covertype import covertype
from contracts.errors import ModelMissing, NotAwaiting
from contracts.model_artefact import CHAMPION
from lake.settings import LakeSettings
from tests.training.survey import make_lake, publish_rows, survey
from training.fit.artefact import reproduces
from training.judge.comparison import weigh
from training.judge.scores import Interval
from training.promote import promotion as promote
from training.promote.registry import Registry
from training.settings import TrainingSettings
from training.train import train


@pytest.mark.parametrize(
    ("difference", "challenger_rows", "is_promoted"),
    [
        (Interval(+0.020, -0.01, +0.05), 2000, True),  # more rows, and not worse
        (Interval(-0.005, -0.03, +0.02), 2000, True),  # more rows, within the tolerance
        (Interval(-0.020, -0.06, +0.02), 2000, False),  # more rows, but below the tolerance
        (Interval(-0.004, -0.007, -0.001), 2000, False),  # more rows, but worse beyond chance
        (Interval(+0.020, -0.01, +0.05), 1000, False),  # no more rows, better by chance perhaps
        (Interval(+0.020, +0.01, +0.03), 1000, True),  # no more rows, better beyond chance
        (Interval(0.0, 0.0, 0.0), 1000, False),  # the same again
    ],
)
def test_the_gate_weighs_rows_and_chance(
    difference: Interval, challenger_rows: int, is_promoted: bool
) -> None:
    criterion = weigh(difference, challenger_rows, champion_rows=1000, tolerance=0.01)
    assert criterion.passed is is_promoted
    assert f"{difference.value:+.4f}" in criterion.says


@pytest.mark.long
def test_versions_are_promoted_refused_and_rolled_back(settings: TrainingSettings, tmp_path: Path) -> None:
    columns = survey(4000)
    lake = make_lake(tmp_path, {name: values[:1500] for name, values in columns.items()})
    assert train(settings, lake).promoted

    publish_rows(lake, columns)
    grown = train(settings, lake)
    assert (grown.version, grown.promoted) == (2, True)
    assert "not worse" in grown.reason
    assert aliases(settings) == {"champion": 2, "previous": 1, "challenger": None}

    worse = train(
        settings.model_copy(update={"parameters": {"trees": 1, "min_samples_leaf": 400}}), lake, force=True
    )
    assert (worse.version, worse.promoted) == (3, False)
    assert aliases(settings) == {"champion": 2, "previous": 1, "challenger": 3}
    tags = Registry(settings).version(3).tags
    assert tags["verdict"] == "refused"
    assert float(tags["macro_f1_difference"]) < 0
    record = {item["name"]: item for item in json.loads(tags["gate"])}
    assert not record["macro_f1"]["passed"]
    assert record["macro_f1"]["value"] < record["macro_f1"]["threshold"]
    assert record["golden"]["passed"]
    assert all(item["says"] for item in record.values())
    kept = download_artifacts(run_id=worse.run_id, artifact_path="gate.json", dst_path=str(tmp_path))
    assert json.loads(Path(kept).read_text())["criteria"] == json.loads(tags["gate"])

    assert promote.rollback(settings).number == 1
    assert aliases(settings) == {"champion": 1, "previous": 2, "challenger": 3}
    assert promote.rollback(settings).number == 2

    assert promote.promote(settings, 3).number == 3
    assert aliases(settings) == {"champion": 3, "previous": 2, "challenger": None}
    assert Registry(settings).with_alias(CHAMPION).number == 3


@pytest.mark.longest
def test_more_rows_do_not_excuse_a_worse_model(settings: TrainingSettings, tmp_path: Path) -> None:
    columns = survey(4000)
    lake = make_lake(tmp_path, {name: values[:2000] for name, values in columns.items()})
    assert train(settings, lake).promoted
    mislabelled = columns | {"cover_type": np.roll(columns["cover_type"], 1)}
    publish_rows(lake, half_right(columns, mislabelled))
    verdict = train(settings, lake)
    assert not verdict.promoted
    assert verdict.reason.startswith("worse")


def test_what_is_not_there_cannot_be_promoted(settings: TrainingSettings, lake: LakeSettings) -> None:
    assert Registry(settings).with_alias(CHAMPION) is None
    with pytest.raises(ModelMissing, match="no version 7"):
        promote.promote(settings, 7)
    train(settings, lake)
    with pytest.raises(ModelMissing, match="no other champion"):
        promote.rollback(settings)


def test_a_version_that_has_lost_its_file_is_not_promoted(
    settings: TrainingSettings, lake: LakeSettings
) -> None:
    trained = train(settings, lake)
    client = Registry(settings).client
    source = client.get_model_version(settings.model_name, str(trained.version)).source
    model = client.get_logged_model(source.removeprefix("models:/"))
    get_artifact_repository(model.artifact_location).delete_artifacts("model.onnx")
    with pytest.raises(ModelMissing, match=f"version {trained.version} cannot be loaded"):
        promote.promote(settings, trained.version)


@pytest.mark.longest
@pytest.mark.parametrize("is_approved", [True, False])
def test_a_person_has_the_last_word_where_it_is_asked_for(
    settings: TrainingSettings, tmp_path: Path, is_approved: bool
) -> None:
    columns = survey(2000)
    lake = make_lake(tmp_path, {name: values[:1000] for name, values in columns.items()})
    assert train(settings, lake).promoted
    publish_rows(lake, columns)
    asked = settings.model_copy(update={"approval": True})
    waiting = train(asked, lake)
    assert (waiting.version, waiting.decision) == (2, "awaiting")
    assert aliases(settings) == {"champion": 1, "previous": None, "challenger": 2}
    assert promote.awaiting(settings) == 2
    assert train(asked, lake).decision == "awaiting"  # asked again, nothing is trained anew

    promote.answer(settings, 2, is_approved=is_approved, person="Ada")
    tags = Registry(settings).version(2).tags
    assert tags["verdict_reason"].startswith("approved by Ada" if is_approved else "refused by Ada")
    assert tags["verdict"] == ("promoted" if is_approved else "refused")
    assert aliases(settings)["champion"] == (2 if is_approved else 1)
    assert promote.awaiting(settings) is None
    with pytest.raises(NotAwaiting, match="does not wait"):
        promote.answer(settings, 2, is_approved=True, person="Ada")


@pytest.mark.longest
def test_a_swap_that_was_cut_is_finished_by_whoever_comes_next(
    settings: TrainingSettings, lake: LakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(settings, lake)
    train(settings, lake, force=True)
    promote.promote(settings, 2)
    set_alias = Registry.point
    for cut_at in (1, 2):
        moved = []

        def point(
            self: Registry, alias: str, number: int, moved: list[str] = moved, at: int = cut_at
        ) -> None:
            moved.append(alias)
            if len(moved) == at:
                raise KeyboardInterrupt
            set_alias(self, alias, number)

        before = aliases(settings)
        with monkeypatch.context() as cut:
            cut.setattr(Registry, "point", point)
            with pytest.raises(KeyboardInterrupt):
                promote.rollback(settings)
        assert aliases(settings)["champion"] is not None
        promote.resume_promotion(Registry(settings))
        assert aliases(settings) == before | {"champion": before["previous"], "previous": before["champion"]}
        serves = Registry(settings).fetch(Registry(settings).with_alias(CHAMPION))
        assert reproduces(serves, serves.golden, covertype())


def aliases(settings: TrainingSettings) -> dict[str, int | None]:
    registry = Registry(settings)
    found = {name: registry.with_alias(name) for name in ("champion", "previous", "challenger")}
    return {name: version.number if version else None for name, version in found.items()}


def half_right(columns: dict[str, np.ndarray], mislabelled: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The rows from 2,000 on carry a label of another row."""
    late = np.arange(len(columns["cover_type"])) >= 2000
    return columns | {"cover_type": np.where(late, mislabelled["cover_type"], columns["cover_type"])}
