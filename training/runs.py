"""One training, written down as an MLflow run and a registered version."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from contracts.covertype import Contract
from training.artefact import Artefact, as_inputs
from training.pictures import confusion_picture
from training.provenance import code_revision, digest_rows, lock_hash
from training.registry import Registry, Version
from training.rows import Rows, TrainingSet
from training.scores import Interval, Scores
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

PARAMETERS = ("trees", "min_samples_leaf", "max_features", "seed", "bootstrap_draws")
TABLE = "gold.training_set"


@dataclass(frozen=True)
class Training:
    """All that there is to write down about one training."""

    rows: TrainingSet
    artefact: Artefact
    scores: Scores
    contract: Contract
    settings: TrainingSettings


def write_run(registry: Registry, training: Training) -> Version:
    """Logs the run and registers its model as the newest version."""
    import mlflow

    tags = version_tags(training)
    mlflow.set_experiment(training.settings.experiment)
    with mlflow.start_run(run_name=f"snapshot {tags['snapshot_id']}", tags=tags):
        mlflow.log_params({name: getattr(training.settings, name) for name in PARAMETERS})
        mlflow.log_input(_dataset(training, training.rows.train, "train"), context="training")
        mlflow.log_input(_dataset(training, training.rows.test, "test"), context="testing")
        mlflow.log_figure(_picture(training), "confusion_matrix.png")
        mlflow.log_dict(_score_sheet(training.scores), "scores.json")
        model = _log_model(training)
        # After the model: MLflow reads each metric's history back for a model that comes later.
        mlflow.log_metrics(metrics(training), model_id=model.model_id)
    return registry.register(model.model_uri, tags)


def version_tags(training: Training) -> dict[str, str]:
    """Where a version comes from and how it scored; tags are text."""
    publication, scores = training.rows.publication, training.scores
    notes = {"notes": "; ".join(scores.notes)} if scores.notes else {}
    return notes | {
        "snapshot_id": str(publication.snapshot_id),
        "publication_id": str(publication.publication_id),
        "contract_version": training.contract.version,
        "code_revision": code_revision(training.settings),
        "lock_hash": lock_hash(training.settings),
        "macro_f1": f"{scores.macro_f1.value:.6f}",
        "macro_f1_low": f"{scores.macro_f1.low:.6f}",
        "macro_f1_high": f"{scores.macro_f1.high:.6f}",
        "accuracy": f"{scores.accuracy.value:.6f}",
        "train_rows": str(len(training.rows.train)),
        "test_rows": str(len(training.rows.test)),
    }


def metrics(training: Training) -> dict[str, float]:
    """The figures of a run; `recall_*` once for each class that has held-out rows."""
    scores = training.scores
    figures = {
        **_figures("macro_f1", scores.macro_f1),
        **_figures("accuracy", scores.accuracy),
        "log_loss": scores.log_loss,
        "train_rows": float(len(training.rows.train)),
        "test_rows": float(len(training.rows.test)),
        "model_megabytes": len(training.artefact.serialized) / 1e6,
    }
    for item in scores.classes:
        if item.recall:
            figures |= _figures(f"recall_{_key(item.name)}", item.recall)
    return figures


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


def _picture(training: Training) -> Any:
    return confusion_picture(training.scores.confusion, training.contract.class_names)


def _score_sheet(scores: Scores) -> dict[str, Any]:
    return {
        "macro_f1": vars(scores.macro_f1),
        "accuracy": vars(scores.accuracy),
        "log_loss": scores.log_loss,
        "classes": [
            {"name": item.name, "rows": item.rows, "recall": vars(item.recall) if item.recall else None}
            for item in scores.classes
        ],
        "confusion": scores.confusion.tolist(),
        "notes": list(scores.notes),
    }


def _figures(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _key(class_name: str) -> str:
    return class_name.lower().replace("/", "_").replace(" ", "_").replace("-", "_")
