"""Makes of a forest the tables that `serving/engine/forest.py` answers from.

A process of its own: reading the trees of an ONNX file holds Python's lock for seconds. What is no forest of
votes, or would not be answered alike to the last bit, is left to ONNX Runtime.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from contracts.covertype import Column, Contract, covertype
from serving.engine.forest import Forest
from serving.engine.inference import OUTPUTS, Columns, open_session
from serving.engine.layout import LEAF, place
from serving.engine.tables import AHEAD, COLUMN_BITS, FAR_BITS, NEAR_BITS, Tables

DOMAIN = "ai.onnx.ml"
# What training writes of a forest. Anything else would have rules of its own.
KNOWN = frozenset(
    {"n_targets", "tree_roots", "aggregate_function"}
    | {f"nodes_{name}" for name in ("featureids", "splits", "modes", "truenodeids", "trueleafs")}
    | {"nodes_falsenodeids", "nodes_falseleafs", "leaf_targetids", "leaf_weights"}
)
SUM, NOT_ABOVE = 1, 0
TRIED_ROWS, SEED = 1_000, 0


class NotAForest(Exception):
    """Why a model is left to ONNX Runtime."""


def prepare(model: bytes, contract: Contract) -> Tables:
    """Returns the tables of a model.

    Raises: NotAForest if the model is not trees that have a vote each, or if they would answer otherwise.
    """
    loaded = onnx.load_from_string(model)
    trees = _only_trees(loaded.graph)
    attributes = {item.name: helper.get_attribute_value(item) for item in trees.attribute}
    _check_votes(attributes)
    _check_outputs(loaded.graph, trees.output[0], len(attributes["tree_roots"]))
    features, rows = _up_to(loaded, trees).SerializeToString(), _drawn(contract)
    n_columns = open_session(features).run(None, dict(rows))[0].shape[1]
    tables = Tables(features, *_tables(attributes, n_columns))
    if attributes["n_targets"] != len(contract.class_names):
        raise NotAForest(f"it knows {attributes['n_targets']} classes, not the contract's")
    if not _are_alike(Forest(tables, len(contract.class_names)), open_session(model), rows):
        raise NotAForest("its tables answer otherwise than ONNX Runtime does")
    return tables


def _only_trees(graph: onnx.GraphProto) -> onnx.NodeProto:
    found: list[onnx.NodeProto] = [
        node for node in graph.node if node.op_type == "TreeEnsemble" and node.domain == DOMAIN
    ]
    if len(found) != 1:
        raise NotAForest(f"it has {len(found)} TreeEnsemble nodes")
    return found[0]


def _check_votes(attributes: Mapping[str, Any]) -> None:
    unknown = set(attributes) - KNOWN
    if unknown or attributes.get("aggregate_function", SUM) != SUM:
        raise NotAForest(f"its trees have more than votes ({', '.join(sorted(unknown)) or 'no sum'})")
    if np.any(numpy_helper.to_array(attributes["leaf_weights"]) != 1):
        raise NotAForest("its leaves do not weigh alike")
    if np.any(numpy_helper.to_array(attributes["nodes_modes"]) != NOT_ABOVE):
        raise NotAForest("its trees compare otherwise")


def _check_outputs(graph: onnx.GraphProto, votes: str, n_trees: int) -> None:
    """Checks that the most votes are the label, and their share the probability."""
    constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    behind = {node.output[0]: node for node in graph.node if votes in node.input}
    label, shares = behind.pop("label", None), behind.pop("probabilities", None)
    if behind or label is None or shares is None or (label.op_type, shares.op_type) != ("ArgMax", "Div"):
        raise NotAForest("its outputs are not the most votes and their share")
    divisor = constants.get(shares.input[1], np.zeros(1))
    if {item.name: item.i for item in label.attribute} != {"axis": 1, "keepdims": 0}:
        raise NotAForest("its label is not one class a row")
    if divisor.tolist() != [n_trees]:
        raise NotAForest(f"its votes are divided by {divisor.tolist()}, not by {n_trees} trees")


def _tables(trees: Mapping[str, Any], n_columns: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Returns the nodes, two words each as `serving/engine/walk.py` describes them, and the roots."""
    columns, roots = (np.asarray(trees[name], np.int64) for name in ("nodes_featureids", "tree_roots"))
    _check_bounds("columns", columns, min(n_columns, 1 << COLUMN_BITS - 1))
    _check_bounds("roots", roots, len(columns))
    _check_bounds("classes", np.asarray(trees["leaf_targetids"]), min(trees["n_targets"], AHEAD))
    (not_above, its_class), (above, class_above) = (_follows(trees, side) for side in ("true", "false"))
    try:
        placed = place(not_above, above, roots)
    except ValueError as error:
        raise NotAForest(f"in its trees {error}") from error
    order, is_swapped = placed.order, placed.is_swapped
    _check_bounds("nodes of a side", placed.ahead, (1 << FAR_BITS) - AHEAD)
    near, far = (
        np.where(is_swapped, one[order], other[order])
        for one, other in ((class_above, its_class), (its_class, class_above))
    )
    near, far = np.where(near == LEAF, AHEAD, near), np.where(far == LEAF, AHEAD - 1 + placed.ahead, far)
    # Above t is the same as: minus the value is not above minus the float that is next to t.
    thresholds = numpy_helper.to_array(trees["nodes_splits"]).astype(np.float32)[order]
    thresholds = np.where(is_swapped, -np.nextafter(thresholds, np.float32(np.inf)), thresholds)
    words = columns[order] + n_columns * is_swapped | near << COLUMN_BITS | far << COLUMN_BITS + NEAR_BITS
    nodes = np.stack([thresholds.view(np.uint32), words.astype(np.uint32)], axis=1).reshape(-1)
    return nodes, placed.roots


def _follows(trees: Mapping[str, Any], side: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the node that follows each, and the class; LEAF where it is the other."""
    classes = np.asarray(trees["leaf_targetids"], np.int64)
    follows = np.asarray(trees[f"nodes_{side}nodeids"], np.int64)
    is_leaf = np.asarray(trees[f"nodes_{side}leafs"], bool)
    _check_bounds("leaves", follows[is_leaf], len(classes))
    _check_bounds("nodes", follows[~is_leaf], len(follows))
    # A walk would never end that comes back to where it was.
    if np.any(follows[~is_leaf] <= np.flatnonzero(~is_leaf)):
        raise NotAForest("its nodes do not lie one behind the other")
    return np.where(is_leaf, LEAF, follows), np.where(is_leaf, classes[np.where(is_leaf, follows, 0)], LEAF)


def _check_bounds(what: str, values: NDArray[Any], end: int) -> None:
    """Checks the bounds, at which the walk does not look."""
    if np.any((values < 0) | (values >= end)):
        raise NotAForest(f"its {what} are {values.min()} to {values.max()}, not 0 to {end - 1}")


def _up_to(model: onnx.ModelProto, trees: onnx.NodeProto) -> onnx.ModelProto:
    """Returns the model without its trees and what follows: from the twelve inputs to the matrix."""
    nodes = list(model.graph.node)
    before = nodes[: nodes.index(trees)]
    used = {name for node in before for name in node.input}
    matrix = helper.make_tensor_value_info(trees.input[0], TensorProto.FLOAT, ["n", None])
    graph = helper.make_graph(
        before,
        "features",
        list(model.graph.input),
        [matrix],
        [item for item in model.graph.initializer if item.name in used],
    )
    part = helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    helper.set_model_props(part, {item.key: item.value for item in model.metadata_props})
    return part


def _drawn(contract: Contract) -> Columns:
    """Returns rows that the contract allows, drawn evenly."""
    generator = np.random.default_rng(SEED)
    return {column.name: _values(column, generator) for column in contract.features}


def _values(column: Column, generator: np.random.Generator) -> NDArray[Any]:
    if column.minimum is not None and column.maximum is not None:
        drawn: NDArray[Any] = generator.integers(column.minimum, column.maximum, TRIED_ROWS, endpoint=True)
    else:
        drawn = generator.choice(np.array(column.values, dtype=object), TRIED_ROWS)
    return drawn.reshape(-1, 1)


def _are_alike(forest: Forest, session: onnxruntime.InferenceSession, rows: Columns) -> bool:
    labels, probabilities = forest.answer(rows)
    wanted = session.run(OUTPUTS, dict(rows))
    return np.array_equal(labels, wanted[0]) and np.array_equal(probabilities, wanted[1])


def main() -> None:
    """Takes a model and gives its tables; says why if it is left to ONNX Runtime."""
    try:
        tables = prepare(sys.stdin.buffer.read(), covertype())
    except NotAForest as reason:
        sys.exit(f"left to ONNX Runtime: {reason}")
    sys.stdout.buffer.write(tables.packed())


if __name__ == "__main__":
    main()
