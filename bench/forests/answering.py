"""One way to answer a forest, in a process of its own: `python -m bench.forests.answering WAY FOLDER`.

It keeps its answers to the first rows in the folder and says what it took to be ready; then, for each
line `[ROWS, SECONDS, IS_EMPTIED]` that it reads, the median microseconds of processor a row, which other work
on the machine hardly changes. All ways begin with the twelve columns and end with labels and shares, on one
thread.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]
Answers = tuple[NDArray[Any], NDArray[Any]]
Answer = Callable[[Columns], Answers]
MODEL, FEATURES, CLASSIFIER = "model.onnx", "features.onnx", "classifier.onnx"
TREES, ROWS = "trees.npz", "rows.npz"
# So many answers are compared; before a turn that begins with empty caches, so much other data is read.
TRIED, EMPTYING_BYTES = 5_000, 96 * 2**20
NOT_ABOVE = 3  # treelite's number for <=


def kernel(folder: Path) -> Answer:
    """Returns the service's own engine."""
    from serving.engine import forest, open_engine

    forest.MANY_ROWS = sys.maxsize  # one thread as all others have: from so many rows on it takes two
    with np.load(folder / TREES) as trees:
        n_classes = int(trees["n_classes"])
    return open_engine((folder / MODEL).read_bytes(), n_classes).answer


def onnx_features(folder: Path) -> Answer:
    """Returns the features alone, which all compute with the model's own graph."""
    nothing = np.empty(0)
    session = _session(folder / FEATURES)

    def answer(columns: Columns) -> Answers:
        session.run(None, dict(columns))
        return nothing, nothing

    return answer


def onnx_tree_ensemble(folder: Path) -> Answer:
    """Returns the model as it was registered: TreeEnsemble of ai.onnx.ml 5."""
    return _whole(folder / MODEL)


def onnx_classifier(folder: Path) -> Answer:
    """Returns the same trees as a TreeEnsembleClassifier."""
    return _whole(folder / CLASSIFIER)


def gtil(folder: Path) -> Answer:
    """Opens the forest in Treelite's own interpreter."""
    import treelite

    model = _treelite(folder)
    return _behind_features(folder, lambda matrix: treelite.gtil.predict(model, matrix, nthread=1))


def tl2cgen(folder: Path) -> Answer:
    """Compiles the first tree alone as C: gcc takes most of a minute for it, without optimizing."""
    import tl2cgen as compiler

    library = folder / "tree.so"
    compiler.export_lib(_treelite(folder, n_trees=1), "gcc", library, {}, options=["-O0"])
    predictor = compiler.Predictor(library, nthread=1)
    return _behind_features(folder, lambda matrix: predictor.predict(compiler.DMatrix(matrix)))


WAYS: dict[str, Callable[[Path], Answer]] = {
    way.__name__: way for way in (kernel, onnx_features, onnx_tree_ensemble, onnx_classifier, gtil, tl2cgen)
}


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _whole(path: Path) -> Answer:
    session = _session(path)

    def answer(columns: Columns) -> Answers:
        labels, shares = session.run(["label", "probabilities"], dict(columns))
        return labels, shares

    return answer


def _behind_features(folder: Path, shares_of: Callable[[NDArray[Any]], NDArray[Any]]) -> Answer:
    session = _session(folder / FEATURES)

    def answer(columns: Columns) -> Answers:
        (matrix,) = session.run(None, dict(columns))
        shares = shares_of(matrix).reshape(len(matrix), -1)
        return shares.argmax(axis=1), shares

    return answer


def _treelite(folder: Path, n_trees: int | None = None) -> Any:
    """Returns the trees, or the first of them: built as leaves, whose fields are then set, which takes
    seconds."""
    from treelite.model_builder import Metadata, ModelBuilder, PostProcessorFunc, TreeAnnotation

    with np.load(folder / TREES) as found:
        trees = {name: found[name] for name in found.files}
    bounds = np.append(trees["roots"], len(trees["columns"]))[: n_trees and n_trees + 1]
    count, n_classes = len(bounds) - 1, int(trees["n_classes"])
    builder = ModelBuilder(
        threshold_type="float32",
        leaf_output_type="float32",
        metadata=Metadata(int(trees["columns"].max()) + 1, "kMultiClf", True, 1, [n_classes], (1, n_classes)),
        tree_annotation=TreeAnnotation(count, [0] * count, [-1] * count),
        postprocessor=PostProcessorFunc("identity_multiclass"),
        base_scores=[0.0] * n_classes,
    )
    for _ in range(count):
        builder.start_tree()
        builder.start_node(0)
        builder.leaf([0.0] * n_classes)
        builder.end_node()
        builder.end_tree()
    model = builder.commit()
    for number, (start, end) in enumerate(pairwise(bounds)):
        tree = model.get_tree_accessor(number)
        for name, values in _fields(trees, start, end, n_classes).items():
            tree.set_field(name, values)
    return model


def _fields(
    trees: Mapping[str, NDArray[Any]], start: int, end: int, n_classes: int
) -> dict[str, NDArray[Any]]:
    """Returns one tree as treelite has it: its inner nodes, then its leaves, seven shares each, one of
    them 1."""
    inner, its_leaves, classes = end - start, [], []
    n_leaves = 0
    for side in ("true", "false"):
        its_class = trees[f"{side}_class"][start:end]
        is_leaf = its_class >= 0
        follows = trees[side][start:end] - start
        follows[is_leaf] = inner + n_leaves + np.arange(is_leaf.sum())
        n_leaves += int(is_leaf.sum())
        its_leaves.append(follows)
        classes.append(its_class[is_leaf])

    def padded(values: NDArray[Any], kind: type[np.generic], rest: int = 0) -> NDArray[Any]:
        return np.append(values, np.full(n_leaves, rest)).astype(kind)

    nothing = np.zeros(inner, np.uint64)
    begins = np.arange(n_leaves, dtype=np.uint64) * np.uint64(n_classes)
    is_inner = padded(np.ones(inner), np.int8)
    return {
        "num_nodes": np.array([inner + n_leaves], np.int32),
        "node_type": is_inner,
        "cleft": padded(its_leaves[0], np.int32, -1),
        "cright": padded(its_leaves[1], np.int32, -1),
        "split_index": padded(trees["columns"][start:end], np.int32, -1),
        "default_left": np.zeros_like(is_inner, np.uint8),
        "leaf_value": np.zeros_like(is_inner, np.float32),
        "threshold": padded(trees["thresholds"][start:end], np.float32),
        "cmp": is_inner * np.int8(NOT_ABOVE),
        "category_list_right_child": np.zeros_like(is_inner, np.uint8),
        "leaf_vector": np.eye(n_classes, dtype=np.float32)[np.concatenate(classes)].ravel(),
        "leaf_vector_begin": np.append(nothing, begins),
        "leaf_vector_end": np.append(nothing, begins + np.uint64(n_classes)),
        **{f"category_list_{edge}": np.zeros_like(is_inner, np.uint64) for edge in ("begin", "end")},
    }


def _rows(folder: Path) -> Columns:
    with np.load(folder / ROWS) as found:
        columns = {name: found[name].reshape(-1, 1) for name in found.files}
    return {
        name: values.astype(object) if values.dtype.kind == "U" else values
        for name, values in columns.items()
    }


def _batch(rows: Columns, start: int, count: int) -> Columns:
    return {name: values[start : start + count] for name, values in rows.items()}


def _take_turn(
    answer: Answer, rows: Columns, starts: Iterator[int], count: int, seconds: float, *, is_emptied: bool
) -> float:
    """Returns microseconds of processor a row, the median of all batches, for rows not asked lately."""
    other = np.ones(EMPTYING_BYTES, np.uint8)
    took: list[float] = []
    until = time.thread_time() + seconds
    while not took or time.thread_time() < until:
        batch = _batch(rows, next(starts), count)
        if is_emptied:
            other.sum()
        began = time.thread_time()
        answer(batch)
        took.append((time.thread_time() - began) / count * 1e6)
    return float(np.median(took))


def main() -> None:
    """Gets ready, says so, and takes turns until nobody asks for more."""
    way, folder = sys.argv[1], Path(sys.argv[2])
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # tl2cgen talks
    answer = WAYS[way](folder)
    ready_s = sum(os.times()[:4])
    rows = _rows(folder)
    labels, shares = answer(_batch(rows, 0, TRIED))
    np.savez(folder / f"{way}.npz", labels=labels, shares=shares)
    print(json.dumps(ready_s), file=said, flush=True)
    n_rows = len(next(iter(rows.values())))
    starts: dict[int, Iterator[int]] = {}
    for line in sys.stdin:
        count, seconds, is_emptied = json.loads(line)
        starts.setdefault(count, cycle(range(0, n_rows - count + 1, count)))
        took = _take_turn(answer, rows, starts[count], count, seconds, is_emptied=is_emptied)
        print(json.dumps(took), file=said, flush=True)


if __name__ == "__main__":
    main()
