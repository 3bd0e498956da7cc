"""The forest: grown by scikit-learn, read out tree by tree, its votes counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.settings import TrainingSettings

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier


@dataclass(frozen=True)
class Branches:
    """All trees in the layout of ONNX's `TreeEnsemble`: inner nodes and leaves in two tables.

    `*_node` is a position among the inner nodes, or among the leaves where `*_is_leaf` is 1. The sample
    goes `true` where its feature is lower than or equal to the split.
    """

    roots: NDArray[np.int64]
    feature: NDArray[np.int64]
    split: NDArray[np.float32]
    true_node: NDArray[np.int64]
    true_is_leaf: NDArray[np.int64]
    false_node: NDArray[np.int64]
    false_is_leaf: NDArray[np.int64]
    leaf_class: NDArray[np.int64]


def grow(
    features: NDArray[np.float32], labels: NDArray[np.int64], settings: TrainingSettings
) -> ExtraTreesClassifier:
    """Grows extremely randomised trees.

    Args:
        features: Matrix of shape (n_rows, n_features).
        labels: True classes, shape (n_rows,).
        settings: Size and seed of the forest.

    Source: Geurts, Ernst and Wehenkel, Extremely randomized trees, Machine Learning 63 (2006).
    """
    from sklearn.ensemble import ExtraTreesClassifier

    forest = ExtraTreesClassifier(
        n_estimators=settings.trees,
        max_features=settings.max_features,
        min_samples_leaf=settings.min_samples_leaf,
        random_state=settings.seed,
        n_jobs=settings.n_jobs,
    )
    return forest.fit(features, labels)


def count_votes(
    forest: ExtraTreesClassifier, features: NDArray[np.float32], n_classes: int
) -> NDArray[np.int64]:
    """How many trees vote for each class, by scikit-learn's own trees, shape (n_rows, n_classes).

    Source: Breiman, Random forests, Machine Learning 45 (2001). A vote is a whole number, so the sum is
    the same in whatever order and precision it is taken: that is what makes equality with ONNX exact.
    A tree that is grown to the end has leaves of one class, and its vote is its probability.
    """
    votes = np.zeros((len(features), n_classes), dtype=np.int64)
    every_row = np.arange(len(features))
    for tree in forest.estimators_:
        chosen = np.asarray(tree.predict(features, check_input=False)).astype(np.int64)
        votes[every_row, forest.classes_[chosen]] += 1
    return votes


def read_branches(forest: ExtraTreesClassifier) -> Branches:
    """The forest's trees as tables."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    inner = np.cumsum([0] + [_inner_nodes(tree) for tree in trees])
    leaves = np.cumsum([0] + [tree.n_leaves for tree in trees])
    tables = [
        _read_tree(tree, forest.classes_, int(first_inner), int(first_leaf))
        for tree, first_inner, first_leaf in zip(trees, inner, leaves, strict=False)
    ]
    columns = {name: np.concatenate([getattr(table, name) for table in tables]) for name in vars(tables[0])}
    return Branches(**columns)


def _read_tree(tree: Any, classes: NDArray[np.int64], first_inner: int, first_leaf: int) -> Branches:
    is_leaf = tree.children_left < 0
    if is_leaf[0]:
        return _single_leaf(tree, classes, first_inner, first_leaf)
    position = np.where(is_leaf, np.cumsum(is_leaf) - 1 + first_leaf, np.cumsum(~is_leaf) - 1 + first_inner)
    left, right = tree.children_left[~is_leaf], tree.children_right[~is_leaf]
    return Branches(
        roots=np.array([first_inner]),
        feature=tree.feature[~is_leaf],
        split=_round_down(tree.threshold[~is_leaf]),
        true_node=position[left],
        true_is_leaf=is_leaf[left].astype(np.int64),
        false_node=position[right],
        false_is_leaf=is_leaf[right].astype(np.int64),
        leaf_class=classes[tree.value[is_leaf, 0, :].argmax(axis=1)],
    )


def _single_leaf(tree: Any, classes: NDArray[np.int64], first_inner: int, first_leaf: int) -> Branches:
    # ONNX wants one inner node whose branches share the leaf.
    one, leaf = np.array([1]), np.array([first_leaf])
    return Branches(
        roots=np.array([first_inner]),
        feature=np.array([0]),
        split=np.zeros(1, dtype=np.float32),
        true_node=leaf,
        true_is_leaf=one,
        false_node=leaf,
        false_is_leaf=one,
        leaf_class=classes[[tree.value[0, 0, :].argmax()]],
    )


def _inner_nodes(tree: Any) -> int:
    return max(int(tree.node_count - tree.n_leaves), 1)


def _round_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 below or at each threshold: no float32 lies between, so no sample moves."""
    rounded = thresholds.astype(np.float32)
    above = rounded.astype(np.float64) > thresholds
    return np.where(above, np.nextafter(rounded, np.float32(-np.inf)), rounded).astype(np.float32)
