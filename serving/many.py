"""The same trees in another graph, for many rows: one node a tree instead of one for all.

ONNX Runtime takes row after row through all trees of a node. A forest of 60 MB does not fit into a
processor's cache, so each row waits for memory at each step. With one node a tree, thousands of rows go
through one tree while it lies in the cache: four times as fast (docs/decisions/0012-one-tree-at-a-time.md).
The sums are added in the same order, so the answers are equal to the last bit.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

MANY_FILE = "many.onnx"
TREES = "TreeEnsemble"
DOMAIN = "ai.onnx.ml"
SUM = 1
# What training writes of a forest. Anything else would have to be split by rules of its own.
KNOWN = frozenset(
    {"n_targets", "tree_roots", "aggregate_function"}
    | {f"nodes_{name}" for name in ("featureids", "splits", "modes", "truenodeids", "trueleafs")}
    | {"nodes_falsenodeids", "nodes_falseleafs", "leaf_targetids", "leaf_weights"}
)


def write_graph_for_many(model: Path, target: Path) -> bool:
    """Writes the graph for many rows beside a model.

    Returns: False where the model is not a forest in one `TreeEnsemble`: it then answers many rows itself.
    """
    import onnx

    loaded = onnx.load(str(model))
    nodes = [node for node in loaded.graph.node if node.op_type == TREES and node.domain == DOMAIN]
    if len(nodes) != 1:
        return False
    forest = {item.name: onnx.helper.get_attribute_value(item) for item in nodes[0].attribute}
    if not KNOWN.issuperset(forest) or forest.get("aggregate_function", SUM) != SUM:
        return False
    position = list(loaded.graph.node).index(nodes[0])
    split = _split(forest, nodes[0].input[0], nodes[0].output[0])
    others = list(loaded.graph.node)
    del loaded.graph.node[:]
    loaded.graph.node.extend([*others[:position], *split, *others[position + 1 :]])
    partial = target.with_suffix(".partial")
    partial.write_bytes(loaded.SerializeToString())
    partial.replace(target)
    return True


def _split(forest: dict[str, Any], source: str, target: str) -> list[Any]:
    from onnx import helper

    roots = np.asarray(forest["tree_roots"])
    # The trees lie one behind the other, each from its root on.
    ends = [*roots[1:].tolist(), len(forest["nodes_featureids"])]
    arrays = _arrays(forest)
    names = [f"{target}_{number}" for number in range(len(roots))]
    trees = [
        _tree(arrays, int(start), int(end), source, name, forest["n_targets"])
        for start, end, name in zip(roots, ends, names, strict=True)
    ]
    return [*trees, helper.make_node("Sum", names, [target])]


def _arrays(forest: dict[str, Any]) -> dict[str, Any]:
    from onnx import numpy_helper

    tensors = ("nodes_splits", "nodes_modes", "leaf_weights")
    return {
        name: numpy_helper.to_array(value) if name in tensors else np.asarray(value, dtype=np.int64)
        for name, value in forest.items()
        if name.startswith(("nodes_", "leaf_"))
    }


def _tree(arrays: dict[str, Any], start: int, end: int, source: str, name: str, n_targets: int) -> Any:
    from onnx import helper, numpy_helper

    part = {key: values[start:end] for key, values in arrays.items() if key.startswith("nodes_")}
    is_leaf = {side: part[f"nodes_{side}leafs"].astype(bool) for side in ("true", "false")}
    leaves = np.concatenate([part[f"nodes_{side}nodeids"][is_leaf[side]] for side in is_leaf])
    first, last = int(leaves.min()), int(leaves.max()) + 1
    for side, leaf in is_leaf.items():
        part[f"nodes_{side}nodeids"] = part[f"nodes_{side}nodeids"] - np.where(leaf, first, start)
    part |= {key: values[first:last] for key, values in arrays.items() if key.startswith("leaf_")}
    attributes = {
        key: values.tolist() if values.dtype == np.int64 else numpy_helper.from_array(values)
        for key, values in part.items()
    }
    return helper.make_node(
        TREES, [source], [name], domain=DOMAIN, n_targets=n_targets, tree_roots=[0], **attributes
    )


if __name__ == "__main__":
    # A process of its own: reading the trees holds Python's lock for seconds.
    write_graph_for_many(Path(sys.argv[1]), Path(sys.argv[2]))
