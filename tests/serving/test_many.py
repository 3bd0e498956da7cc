"""The graph for many rows gives the same answers to the last bit, and other models answer as they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from contracts.covertype import covertype
from serving.many import MANY_FILE, write_graph_for_many
from serving.model import load_model
from serving.version import Version
from tests.serving.onnx_models import build_model
from tests.training.survey import survey
from training.artefact import build_model as build_artefact
from training.artefact import choose_golden, describe_model
from training.candidates import CANDIDATES
from training.candidates.base import Lesson
from training.features import compute_features
from training.rows import Rows, as_rows

CONTRACT = covertype()
VERSION = Version(name="m", number="1", alias="champion", source="s", created_at_ms=1, tags={})
CHOSEN = {
    "extra_trees": {"trees": 12},
    "random_forest": {"trees": 7, "min_samples_leaf": 5},
    "histogram_boosting": {"iterations": 5},
}


@pytest.fixture(scope="module")
def rows() -> Rows:
    return as_rows(survey(3_000))


def artefact(rows: Rows, name: str, folder: Path) -> Path:
    """A small model of the product's own."""
    lesson = Lesson(compute_features(rows.features), rows.labels, 7, seed=1, n_jobs=2)
    candidate = CANDIDATES[name]
    fitted = candidate.fit(lesson, candidate.parameters(**CHOSEN[name]))
    model = build_artefact(fitted.ensemble(), CONTRACT)
    golden = choose_golden(rows.features, fitted.answer(compute_features(rows.features)), CONTRACT)

    describe_model(model, {"canopy.contract_version": CONTRACT.version, "canopy.golden": json.dumps(golden)})
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("name", CHOSEN)
def test_many_rows_get_the_same_answers_to_the_last_bit(rows: Rows, name: str, tmp_path: Path) -> None:
    path = artefact(rows, name, tmp_path)
    assert write_graph_for_many(path, tmp_path / MANY_FILE)
    model = load_model(VERSION, tmp_path, CONTRACT)
    columns = {column: values[:, 0] for column, values in rows.features.items()}
    labels, probabilities = model.predict_columns(columns)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = session.run(["label", "probabilities"], dict(rows.features))
    assert np.array_equal(labels, expected[0])
    assert np.abs(probabilities - expected[1]).max() < 1e-6
    if name != "histogram_boosting":  # whose leaves are no whole numbers
        assert np.array_equal(probabilities, expected[1])


def test_a_model_of_another_make_answers_many_rows_itself(rows: Rows, tmp_path: Path) -> None:
    path = build_model(tmp_path / "model.onnx")
    assert not write_graph_for_many(path, tmp_path / MANY_FILE)
    model = load_model(VERSION, tmp_path, CONTRACT)
    columns = {column: values[:50, 0] for column, values in rows.features.items()}
    few = [tuple(values[i] for values in columns.values()) for i in range(50)]
    assert np.array_equal(model.predict_columns(columns)[0], model.predict(few)[0])
