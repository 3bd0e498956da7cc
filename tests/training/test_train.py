"""One call from the published snapshot to a judged version."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from dataclasses import replace
from html import escape as html_escape
from pathlib import Path

import mlflow
import numpy as np
import onnx
import pandas
import pytest

from clients.mlflow import Version
from contracts.covertype import covertype
from contracts.errors import NothingPublished, ServiceUnavailable, TooFewRows
from lake.publish.pointer import latest
from lake.settings import LakeSettings
from tests.training.conftest import small
from tests.training.survey import REAL, make_lake, survey
from training.fit.rows import read_training_set
from training.promote.registry import Registry
from training.report.provenance import lock_hash
from training.settings import TrainingSettings
from training.train import Trained, train

CONTRACT = covertype()


@pytest.fixture(scope="module")
def once(mlflow_url: str, lake: LakeSettings) -> tuple[TrainingSettings, Trained, Version]:
    """One training that the tests of this module look at."""
    settings = small(mlflow_url, "once")
    trained = train(settings, lake)
    return settings, trained, Registry(settings).version(trained.version)


def test_the_first_version_becomes_the_champion(once) -> None:
    settings, trained, _ = once
    assert (trained.version, trained.is_new, trained.promoted) == (1, True, True)
    assert Registry(settings).with_alias("champion").number == 1
    assert trained.train_rows + trained.test_rows == 2500
    assert trained.macro_f1.low < trained.macro_f1.value < trained.macro_f1.high
    assert set(trained.seconds) == {
        "connect",
        "read",
        "features",
        "fit",
        "convert",
        "parity",
        "score",
        "register",
        "judge",
    }


def test_the_version_says_where_it_comes_from_and_how_it_scored(once, lake: LakeSettings) -> None:
    settings, trained, version = once
    publication = latest(lake)
    assert version.tags["snapshot_id"] == str(publication.snapshot_id)
    assert version.tags["publication_id"] == str(publication.publication_id)
    assert version.tags["contract_version"] == CONTRACT.version
    assert version.tags["lock_hash"] == lock_hash(settings)
    assert len(version.tags["lock_hash"]) == 64
    assert version.tags["code_revision"]
    assert float(version.tags["macro_f1"]) == pytest.approx(trained.macro_f1.value)
    assert float(version.tags["macro_f1_low"]) < float(version.tags["macro_f1_high"])
    assert 0 < float(version.tags["accuracy"]) < 1
    assert int(version.tags["train_rows"]) == trained.train_rows
    assert int(version.tags["test_rows"]) == trained.test_rows
    assert version.tags["verdict"] == "promoted"


def test_the_run_holds_parameters_metrics_datasets_and_the_picture(once) -> None:
    settings, trained, _ = once
    run = Registry(settings).client.get_run(trained.run_id)
    assert run.data.params["trees"] == "12"
    assert run.data.metrics["macro_f1"] == pytest.approx(trained.macro_f1.value, abs=1e-6)
    assert {"log_loss", "recall_lodgepole_pine_low", "accuracy_high"} <= set(run.data.metrics)
    datasets = {item.dataset.name: item.dataset for item in run.inputs.dataset_inputs}
    assert set(datasets) == {"gold.training_set.train", "gold.training_set.test"}
    assert f'"snapshot_id": "{trained.snapshot_id}"' in datasets["gold.training_set.train"].source
    assert datasets["gold.training_set.train"].digest != datasets["gold.training_set.test"].digest
    artefacts = {item.path for item in Registry(settings).client.list_artifacts(trained.run_id)}
    assert {
        "confusion_matrix.png",
        "recall_by_class.png",
        "reliability.png",
        "scores.json",
        "gate.json",
    } <= artefacts
    assert {"model_card.md", "model_card.html", "landings.json", "importance.json"} <= artefacts


def test_the_honest_figure_stands_beside_the_naive_one_and_the_baselines(once) -> None:
    settings, trained, version = once
    run = Registry(settings).client.get_run(trained.run_id)
    figures = run.data.metrics
    assert trained.naive_macro_f1 == pytest.approx(figures["naive_macro_f1"], abs=1e-6)
    assert figures["naive_macro_f1"] > figures["macro_f1_high"]  # rows landed up to three times
    assert figures["naive_excess"] == pytest.approx(figures["naive_macro_f1"] - figures["macro_f1"])
    assert figures["majority_class_macro_f1"] < min(figures["small_tree_macro_f1"], figures["macro_f1"])
    if REAL.is_file():  # drawn rows follow a rule that a small tree finds sooner than twelve large ones
        assert figures["small_tree_macro_f1"] < figures["macro_f1"]
    assert 0 < figures["calibration_error"] < 0.3
    assert 0 < figures["brier"] < 1
    assert version.tags["reason"] == "there was no model"
    assert version.tags["candidate"] == "extra_trees"
    assert json.loads(version.tags["parameters"])["trees"] == 12


def test_the_card_tells_people_all_of_it_and_loads_nothing(once, tmp_path: Path) -> None:
    settings, trained, version = once
    Registry(settings)
    card, page = (
        Path(
            mlflow.artifacts.download_artifacts(
                run_id=trained.run_id, artifact_path=name, dst_path=str(tmp_path)
            )
        )
        for name in ("model_card.md", "model_card.html")
    )
    text, html = card.read_text(), page.read_text()
    for said in (
        *CONTRACT.class_names,
        *("Rawah", "Cache", "CC BY 4.0", f"canopy reproduce {trained.run_id}", "leak meter"),
        f"{float(version.tags['macro_f1']):.3f} [{float(version.tags['macro_f1_low']):.3f}",
        f"{trained.train_rows:,} distinct rows to learn from, {trained.test_rows:,} held out",
    ):
        assert said in text, said
        assert html_escape(said) in html, said
    assert html.count("data:image/png;base64,") == 3
    assert not re.findall(r"<(?:script|link|img src=\"http)", html)
    assert "<table>" in html


def test_the_model_folder_holds_onnx_and_no_pickle(once, tmp_path: Path) -> None:
    settings, trained, _ = once
    folder = download(settings, trained, tmp_path)
    names = {path.name for path in folder.rglob("*")}
    assert "model.onnx" in names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]
    metadata = {item.key: item.value for item in onnx.load(folder / "model.onnx").metadata_props}
    assert metadata["canopy.snapshot_id"] == str(trained.snapshot_id)
    assert metadata["canopy.contract_version"] == CONTRACT.version


def test_pyfunc_answers_a_frame_of_the_twelve_columns(once, lake: LakeSettings, tmp_path: Path) -> None:
    settings, trained, _ = once
    model = mlflow.pyfunc.load_model(str(download(settings, trained, tmp_path)))
    assert [item.name for item in model.metadata.signature.inputs] == [c.name for c in CONTRACT.features]
    test = read_training_set(lake, latest(lake)).test
    frame = pandas.DataFrame({name: values[:, 0] for name, values in test.features.items()})
    answers = model.predict(frame)
    assert np.mean(answers["label"] == test.labels) == pytest.approx(trained.accuracy, abs=1e-6)
    assert answers["probabilities"].shape == (len(test), 7)


def test_a_snapshot_is_trained_once(once, lake: LakeSettings) -> None:
    settings, trained, _ = once
    again = train(settings, lake)
    assert (again.is_new, again.version, again.run_id) == (False, trained.version, trained.run_id)
    assert "had been trained before" in again.reason
    assert again.promoted
    assert again.macro_f1.value == pytest.approx(trained.macro_f1.value, abs=1e-6)
    assert set(again.seconds) == {"connect"}


def test_a_version_that_was_not_judged_is_judged_and_not_trained_again(
    settings: TrainingSettings, lake: LakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr("training.train.judge", stop)
        with pytest.raises(KeyboardInterrupt):
            train(settings, lake)
    assert Registry(settings).with_alias("champion") is None
    trained = train(settings, lake)
    assert (trained.version, trained.promoted, trained.is_new) == (1, True, False)
    assert Registry(settings).with_alias("champion").number == 1


def test_too_few_rows_leave_no_run_and_no_version(settings: TrainingSettings, tmp_path: Path) -> None:
    lake = make_lake(tmp_path, survey(120))
    with pytest.raises(TooFewRows, match="200 are needed"):
        train(settings, lake)
    registry = Registry(settings)
    assert registry.of_snapshot(latest(lake).snapshot_id) is None
    assert registry.client.get_experiment_by_name(settings.experiment) is None


def test_without_a_publication_there_is_nothing_to_train_on(
    settings: TrainingSettings, tmp_path: Path
) -> None:
    lake = LakeSettings(uri=str(tmp_path), catalog=f"sqlite:{tmp_path / 'none.sqlite'}", _env_file=None)
    with pytest.raises(NothingPublished, match="canopy refine"):
        train(settings, lake)


def test_without_mlflow_training_says_so_at_once(lake: LakeSettings) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ServiceUnavailable, match="MLflow at http"):
            train(TrainingSettings(mlflow_url=url, _env_file=None), lake)


def test_importing_training_imports_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, training.train; print({'mlflow', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


def download(settings: TrainingSettings, trained: Trained, folder: Path) -> Path:
    Registry(settings)
    uri = f"models:/{settings.model_name}/{trained.version}"
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder)))


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_trained_is_frozen(once) -> None:
    _, trained, _ = once
    assert replace(trained, version=9).version == 9
    with pytest.raises(AttributeError):
        trained.version = 9
