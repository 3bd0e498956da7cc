"""A forest's tables answer as ONNX Runtime does, to the last bit; other models are left to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from contracts.covertype import covertype
from contracts.errors import ModelRefused
from serving.engine import tables
from serving.engine.forest import MANY_ROWS, Forest
from serving.engine.inference import WholeGraph, open_session
from serving.engine.preparing import NotAForest, prepare
from serving.model.loaded import DIGEST_TAG, Model, load_model
from serving.model.version import Version
from tests.serving.onnx_models import build_model
from tests.serving.product_models import survey_rows, write_model
from training.fit.rows import Rows

CONTRACT = covertype()
VERSION = Version(name="m", number="1", alias="champion", source="s", created_at_ms=1, tags={})


@pytest.fixture(scope="module")
def rows() -> Rows:
    return survey_rows(3_000)


def answers_of(model: Model, rows: Rows, start: int, end: int) -> tuple[NDArray[Any], NDArray[Any]]:
    columns = {name: values[start:end, 0] for name, values in rows.features.items()}
    return model.predict_columns(columns)


@pytest.mark.parametrize("name", ["extra_trees", "random_forest"])
def test_one_row_and_many_get_the_same_answers_to_the_last_bit(rows: Rows, name: str, tmp_path: Path) -> None:
    path = write_model(rows, tmp_path, name)
    session = open_session(path.read_bytes())
    model = load_model(VERSION, tmp_path, CONTRACT)
    assert isinstance(model._engine, Forest)
    labels, probabilities = session.run(["label", "probabilities"], dict(rows.features))
    assert len(labels) > MANY_ROWS
    for start, end in [(0, len(labels)), (0, 100), *((i, i + 1) for i in range(200))]:
        mine = answers_of(model, rows, start, end)
        assert np.array_equal(mine[0], labels[start:end])
        assert np.array_equal(mine[1], probabilities[start:end])
    few = list(zip(*(values[:20, 0].tolist() for values in rows.features.values()), strict=True))
    assert np.array_equal(model.predict(few)[1], probabilities[:20])


def test_trees_whose_leaves_weigh_are_left_to_onnx_runtime(rows: Rows, tmp_path: Path) -> None:
    path = write_model(rows, tmp_path, "histogram_boosting")
    with pytest.raises(NotAForest, match="leaves do not weigh alike"):
        prepare(path.read_bytes(), CONTRACT)
    expected = open_session(path.read_bytes()).run(["label", "probabilities"], dict(rows.features))
    mine = answers_of(load_model(VERSION, tmp_path, CONTRACT), rows, 0, 3_000)
    assert np.array_equal(mine[0], expected[0])
    assert np.array_equal(mine[1], expected[1])


def test_a_model_of_another_make_is_left_to_onnx_runtime(tmp_path: Path) -> None:
    path = build_model(tmp_path / "model.onnx")
    with pytest.raises(NotAForest, match="0 TreeEnsemble nodes"):
        prepare(path.read_bytes(), CONTRACT)


Change = Callable[[dict[str, Any]], None]


def first(name: str, value: int) -> Change:
    def change(attributes: dict[str, Any]) -> None:
        if name == "n_targets":
            attributes[name].i = value
        else:
            attributes[name].ints[0] = value

    return change


def weighs_more(attributes: dict[str, Any]) -> None:
    weights = numpy_helper.to_array(attributes["leaf_weights"].t).copy()
    weights[0] = 2
    attributes["leaf_weights"].t.CopyFrom(numpy_helper.from_array(weights))


def compares_otherwise(attributes: dict[str, Any]) -> None:
    modes = numpy_helper.to_array(attributes["nodes_modes"].t).copy()
    modes[0] = 1
    attributes["nodes_modes"].t.CopyFrom(numpy_helper.from_array(modes))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (first("nodes_featureids", 64), "its columns are 0 to 64, not 0 to 63"),
        (first("nodes_featureids", -1), "its columns are -1 to"),
        (first("leaf_targetids", 7), "its classes are 0 to 7, not 0 to 6"),
        (first("leaf_targetids", -1), "its classes are -1 to 6"),
        (first("n_targets", 6), "its classes are 0 to 6, not 0 to 5"),
        (first("n_targets", 8), "it knows 8 classes, not the contract's"),
        (first("nodes_truenodeids", 1_000_000), "its nodes are 2 to 1000000"),
        (first("nodes_truenodeids", -1), "its nodes are -1 to"),
        (first("nodes_falsenodeids", 0), "do not lie one behind the other"),  # a tree without an end
        (first("nodes_truenodeids", 2), "several ways lead to a node, or none"),
        (first("tree_roots", -1), "its roots are -1 to"),
        (first("tree_roots", 1), "several ways lead to a node, or none"),
        (weighs_more, "leaves do not weigh alike"),
        (compares_otherwise, "compare otherwise"),
    ],
)
def test_a_walk_never_leaves_its_tables(rows: Rows, change: Change, reason: str, tmp_path: Path) -> None:
    path = write_model(rows, tmp_path)
    model = onnx.load(str(path))
    (trees,) = [node for node in model.graph.node if node.op_type == "TreeEnsemble"]
    change({item.name: item for item in trees.attribute})
    path.write_bytes(model.SerializeToString())
    with pytest.raises(NotAForest, match=reason):
        prepare(path.read_bytes(), CONTRACT)


def test_other_outputs_are_left_to_onnx_runtime(rows: Rows, tmp_path: Path) -> None:
    path = write_model(rows, tmp_path)
    model = onnx.load(str(path))
    (trees,) = [item for item in model.graph.initializer if item.name == "trees"]
    trees.CopyFrom(numpy_helper.from_array(np.array([5], np.float32), "trees"))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(NotAForest, match=r"divided by \[5.0\], not by 12 trees"):
        prepare(path.read_bytes(), CONTRACT)


def test_a_preparation_that_does_not_end_leaves_the_model_to_onnx_runtime(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(rows, tmp_path)
    monkeypatch.setattr(tables, "PREPARED_WITHIN_S", 0.05)
    expected = open_session(path.read_bytes()).run(["label", "probabilities"], dict(rows.features))
    model = load_model(VERSION, tmp_path, CONTRACT)
    assert isinstance(model._engine, WholeGraph)
    assert np.array_equal(answers_of(model, rows, 0, 3_000)[1], expected[1])


def test_another_file_than_the_registered_one_is_refused(rows: Rows, tmp_path: Path) -> None:
    path = write_model(rows, tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    load_model(VERSION.model_copy(update={"tags": {DIGEST_TAG: digest}}), tmp_path, CONTRACT)
    with pytest.raises(ModelRefused, match=f"has the sha256 {digest}, and 00ff was registered"):
        load_model(VERSION.model_copy(update={"tags": {DIGEST_TAG: "00ff"}}), tmp_path, CONTRACT)
