"""A forest in the forms in which bench.engines has it answered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bench.forests.answering import CLASSIFIER, FEATURES, MODEL, ROWS, TREES
from serving.engine.tables import make_tables

DOMAIN = "ai.onnx.ml"


def write_forms(model: bytes, rows: pa.Table, n_classes: int, folder: Path) -> None:
    """Writes the model as it is, its features alone, its trees as arrays and as the older ONNX operator."""
    loaded = onnx.load_from_string(model)
    found = next(node for node in loaded.graph.node if node.op_type == "TreeEnsemble")
    trees = _arrays({item.name: helper.get_attribute_value(item) for item in found.attribute})
    tables = make_tables(model)
    if tables is None:
        raise SystemExit("The model is no forest of votes: there is nothing to compare.")
    (folder / MODEL).write_bytes(model)
    (folder / FEATURES).write_bytes(tables.features)
    (folder / CLASSIFIER).write_bytes(_classifier(tables.features, trees, n_classes))
    np.savez(folder / TREES, allow_pickle=False, n_classes=np.int64(n_classes), **trees)
    columns = {name: rows[name].to_numpy() for name in rows.column_names}
    np.savez(
        folder / ROWS,
        **{
            name: values.astype(str) if values.dtype == object else values for name, values in columns.items()
        },
    )


def _arrays(attributes: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Returns the trees with their leaves as nodes: behind all others, two numbers kept for each node's
    two sides."""
    columns = np.asarray(attributes["nodes_featureids"], np.int64)
    classes = np.asarray(attributes["leaf_targetids"], np.int64)
    roots = np.asarray(attributes["tree_roots"], np.int64)
    arrays: dict[str, NDArray[Any]] = {
        "columns": columns,
        "thresholds": numpy_helper.to_array(attributes["nodes_splits"]).astype(np.float32),
        "trees": np.searchsorted(roots, np.arange(len(columns)), side="right") - 1,
        "roots": roots,
    }
    for place, side in enumerate(("true", "false")):
        follows = np.asarray(attributes[f"nodes_{side}nodeids"], np.int64)
        is_leaf = np.asarray(attributes[f"nodes_{side}leafs"], bool)
        its_leaf = len(columns) + 2 * np.arange(len(columns)) + place
        arrays[side] = np.where(is_leaf, its_leaf, follows)
        arrays[f"{side}_class"] = np.where(is_leaf, classes[np.where(is_leaf, follows, 0)], -1)
    return arrays


def _classifier(features: bytes, trees: Mapping[str, NDArray[Any]], n_classes: int) -> bytes:
    """Returns the same answers by ai.onnx.ml's TreeEnsembleClassifier, which was all there was before
    opset 5."""
    model = onnx.load_from_string(features)
    for opset in model.opset_import:
        opset.version = min(opset.version, 3) if opset.domain == DOMAIN else opset.version  # 5 has it no more
    n_inner, n_trees = len(trees["columns"]), len(trees["roots"])
    leaves, classes = np.concatenate(
        [
            np.stack([trees[side], trees[f"{side}_class"]])[:, trees[f"{side}_class"] >= 0]
            for side in ("true", "false")
        ],
        axis=1,
    )
    its_tree = trees["trees"][(leaves - n_inner) // 2]
    tree = np.concatenate([trees["trees"], its_tree])
    known_as = np.concatenate([np.arange(n_inner), leaves])
    order = np.lexsort((known_as, tree))  # a tree's nodes lie together, its root first, counted from 0
    number = np.zeros(3 * n_inner, np.int64)
    number[known_as[order]] = np.arange(len(order)) - np.searchsorted(tree[order], tree[order])
    nothing = np.zeros(len(leaves), np.int64)
    attributes = {
        "nodes_treeids": tree,
        "nodes_nodeids": number[known_as],
        "nodes_featureids": np.concatenate([trees["columns"], nothing]),
        "nodes_values": np.concatenate([trees["thresholds"], nothing.astype(np.float32)]),
        "nodes_truenodeids": np.concatenate([number[trees["true"]], nothing]),
        "nodes_falsenodeids": np.concatenate([number[trees["false"]], nothing]),
        "nodes_modes": np.array([b"BRANCH_LEQ"] * n_inner + [b"LEAF"] * len(leaves)),
    }
    node = helper.make_node(
        "TreeEnsembleClassifier",
        [model.graph.output[0].name],
        ["label", "votes"],
        domain=DOMAIN,
        **{name: values[order].tolist() for name, values in attributes.items()},
        class_treeids=its_tree.tolist(),
        class_nodeids=number[leaves].tolist(),
        class_ids=classes.tolist(),
        class_weights=[1.0] * len(leaves),
        classlabels_int64s=list(range(n_classes)),
        post_transform="NONE",
    )
    model.graph.node.extend([node, helper.make_node("Div", ["votes", "n_trees"], ["probabilities"])])
    model.graph.initializer.append(numpy_helper.from_array(np.array([n_trees], np.float32), "n_trees"))
    del model.graph.output[:]
    shares = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", n_classes])
    model.graph.output.extend([helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]), shares])
    content: bytes = model.SerializeToString()
    return content
