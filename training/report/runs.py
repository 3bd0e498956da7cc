"""One training, written down as an MLflow run and a registered version."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clients.mlflow import Version
from contracts.covertype import Contract
from contracts.model_artefact import CARD, CARD_PAGE, IMPORTANCE, SCORE_SHEET, Tag
from contracts.version_signature import DIGEST_TAG
from training.fit.artefact import as_inputs
from training.fit.challenger import Training
from training.fit.rows import Rows
from training.judge.evaluation import Evaluation
from training.judge.importance import importances
from training.judge.scores import Interval
from training.promote.registry import Registry
from training.report.card import as_html, as_markdown
from training.report.pictures import pictures
from training.report.provenance import code_revision, digest_labels, digest_rows, lock_hash

if TYPE_CHECKING:
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

TABLE = "gold.training_set"
LANDINGS = "landings.json"


def write_run(registry: Registry, training: Training, reason: str) -> Version:
    """Logs the run and registers its model as the newest version.

    Args:
        registry: Where to.
        training: What there is to write down.
        reason: Why it was trained.
    """
    import mlflow

    tags = version_tags(training, reason)
    mlflow.set_experiment(training.settings.experiment)
    with mlflow.start_run(run_name=f"snapshot {tags[Tag.SNAPSHOT_ID]}", tags=tags) as run:
        mlflow.log_params(_parameters(training))
        mlflow.log_input(_dataset(training, training.rows.train, "train"), context="training")
        mlflow.log_input(_dataset(training, training.rows.test, "test"), context="testing")
        mlflow.log_dict(dict(training.rows.landings), LANDINGS)
        mlflow.log_dict(_score_sheet(training.evaluation), SCORE_SHEET)
        found = importances(training.artefact, training.rows.test, seed=training.settings.seed)
        mlflow.log_dict({"features": [asdict(item) for item in found]}, IMPORTANCE)
        _log_card(training, tags, run.info.run_id)
        model = _log_model(training)
        # After the model: MLflow reads each metric's history back for a model that comes later.
        mlflow.log_metrics(metrics(training), model_id=model.model_id)
    return registry.register(model.model_uri, tags)


def version_tags(training: Training, reason: str) -> dict[str, str]:
    """Returns where a version comes from and how it scored; tags are text."""
    publication, evaluation = training.rows.publication, training.evaluation
    scores, naive = evaluation.scores, evaluation.naive
    tags = {
        Tag.SNAPSHOT_ID: str(publication.snapshot_id),
        Tag.PUBLICATION_ID: str(publication.publication_id),
        Tag.CONTRACT_VERSION: training.contract.version,
        Tag.CODE_REVISION: code_revision(training.settings),
        Tag.LOCK_HASH: lock_hash(training.settings),
        Tag.REASON: reason,
        Tag.CANDIDATE: training.choice.name,
        Tag.PARAMETERS: json.dumps(training.choice.resolve()[1].model_dump(), sort_keys=True),
        DIGEST_TAG: training.artefact.sha256,
        Tag.TRAIN_DIGEST: digest_rows(training.rows.train),
        Tag.TEST_DIGEST: digest_rows(training.rows.test),
        # What the library itself answered: the gate asks the artefact again.
        Tag.ANSWERS_DIGEST: digest_labels(training.answers.labels),
        Tag.LANDINGS: str(len(training.rows.landings)),
        **_interval_tags(Tag.MACRO_F1, scores.macro_f1),
        **_interval_tags(Tag.ACCURACY, scores.accuracy),
        Tag.TRAIN_ROWS: str(len(training.rows.train)),
        Tag.TEST_ROWS: str(len(training.rows.test)),
    }
    if naive:
        tags |= {
            Tag.NAIVE_MACRO_F1: f"{naive.macro_f1.value:.6f}",
            Tag.NAIVE_ACCURACY: f"{naive.accuracy.value:.6f}",
        }
    return tags | ({Tag.NOTES: "; ".join(scores.notes)} if scores.notes else {})


def metrics(training: Training) -> dict[str, float]:
    """Returns the figures of a run; `recall_*` once for each class that has held-out rows."""
    evaluation = training.evaluation
    scores = evaluation.scores
    figures = {
        **_figures("macro_f1", scores.macro_f1),
        **_figures("accuracy", scores.accuracy),
        "log_loss": scores.log_loss,
        "calibration_error": evaluation.calibration.error,
        "brier": evaluation.calibration.brier,
        "train_rows": float(len(training.rows.train)),
        "test_rows": float(len(training.rows.test)),
        "model_megabytes": training.artefact.megabytes,
        **{f"seconds_{step}": seconds for step, seconds in training.seconds.items()},
    }
    for item in scores.classes:
        if item.recall:
            figures |= _figures(f"recall_{_key(item.name)}", item.recall)
    for area in evaluation.areas:
        figures |= _figures(f"macro_f1_in_{_key(area.name)}", area.macro_f1)
    for baseline in evaluation.baselines:
        figures[f"{baseline.name}_macro_f1"] = baseline.macro_f1.value
        figures[f"{baseline.name}_accuracy"] = baseline.accuracy.value
    if evaluation.naive:
        figures |= {
            "naive_macro_f1": evaluation.naive.macro_f1.value,
            "naive_accuracy": evaluation.naive.accuracy.value,
            "naive_excess": evaluation.naive.macro_f1.value - scores.macro_f1.value,
        }
    return figures


def _parameters(training: Training) -> dict[str, Any]:
    settings = training.settings
    return {
        "candidate": training.choice.name,
        **training.choice.resolve()[1].model_dump(),
        "seed": settings.seed,
        "bootstrap_draws": settings.bootstrap_draws,
        "leak_meter": settings.leak_meter,
    }


def _log_card(training: Training, tags: Mapping[str, str], run_id: str) -> None:
    import mlflow

    drawn = pictures(training.evaluation, training.contract.class_names)
    for name, figure in drawn.items():
        mlflow.log_figure(figure, f"{name}.png")
    card = as_markdown(training, tags, run_id)
    mlflow.log_text(card, CARD)
    title = f"Model card: {training.settings.model_name}"
    mlflow.log_text(as_html(title, card, drawn), CARD_PAGE)


def _log_model(training: Training) -> ModelInfo:
    import mlflow.onnx
    import onnx

    # Naming the requirements keeps MLflow from starting a second Python to find them out.
    requirements = [f"{name}=={importlib.metadata.version(name)}" for name in ("onnx", "onnxruntime")]
    logged: ModelInfo = mlflow.onnx.log_model(
        onnx.load_model_from_string(training.artefact.serialized),
        name="model",
        signature=_signature(training.contract),
        input_example=_example(training),
        pip_requirements=requirements,
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
    )
    return logged


def _signature(contract: Contract) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    kinds = {"integer": np.dtype(np.int64), "string": np.dtype(str)}
    inputs: list[ColSpec | TensorSpec] = [
        TensorSpec(kinds[column.kind], (-1, 1), column.name) for column in contract.features
    ]
    outputs: list[ColSpec | TensorSpec] = [
        TensorSpec(np.dtype(np.int64), (-1,), "label"),
        TensorSpec(np.dtype(np.float32), (-1, len(contract.class_names)), "probabilities"),
    ]
    return ModelSignature(Schema(inputs), Schema(outputs))


def _example(training: Training) -> dict[str, NDArray[np.generic]]:
    return as_inputs([training.artefact.golden[0]["row"]], training.contract)


def _dataset(training: Training, rows: Rows, side: str) -> MetaDataset:
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    kinds = {"integer": DataType.integer, "string": DataType.string}
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(kinds[column.kind], column.name) for column in training.contract.columns
    ]
    source = {
        "table": TABLE,
        "split": side,
        "snapshot_id": str(training.rows.publication.snapshot_id),
        "rows": str(len(rows)),
    }
    return MetaDataset(  # type: ignore[abstract]  # MLflow's own way to describe what it cannot load
        CodeDatasetSource(tags=source),
        name=f"{TABLE}.{side}",
        digest=digest_rows(rows),
        schema=Schema(columns),
    )


def _score_sheet(evaluation: Evaluation) -> dict[str, Any]:
    sheet = asdict(evaluation)
    scores = sheet.pop("scores")
    return {**scores, "confusion": scores["confusion"].tolist(), **sheet}


def _figures(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _interval_tags(name: str, interval: Interval) -> dict[str, str]:
    return {key: f"{value:.6f}" for key, value in _figures(name, interval).items()}


def _key(name: str) -> str:
    return name.lower().replace("/", "_").replace(" ", "_").replace("-", "_")
