"""Binary trees as tables, whichever library grew them, in the layout of ONNX's `TreeEnsemble`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

# What softmax takes to zero: the base of a class that was not there to learn from.
UNSEEN = -1e6


@dataclass(frozen=True)
class Tree:
    """One tree; every array has one entry a node, the root first.

    A sample goes left where its feature is lower than or equal to the threshold.

    Attributes:
        left: Position of the node that follows; negative in a leaf.
        right: The same.
        feature: Position of the column that is looked at; of no meaning in a leaf.
        threshold: Of no meaning in a leaf.
        leaf_class: The class that a leaf speaks for.
        leaf_weight: How much it says for it.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    leaf_class: NDArray[np.int64]
    leaf_weight: NDArray[np.float64]


@dataclass(frozen=True)
class Ensemble:
    """Trees whose leaves are summed up by class.

    Attributes:
        trees: All of them.
        link: How the sums become probabilities: their share of the number of trees, or their softmax.
        base: What is added to the sums first, shape (n_classes,); None for nothing.
    """

    trees: Sequence[Tree]
    link: Literal["share", "softmax"]
    base: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Branches:
    """All trees in two tables: inner nodes and leaves.

    `*_node` is a position among the inner nodes, or among the leaves where `*_is_leaf` is 1.
    """

    roots: NDArray[np.int64]
    feature: NDArray[np.int64]
    split: NDArray[np.float32]
    true_node: NDArray[np.int64]
    true_is_leaf: NDArray[np.int64]
    false_node: NDArray[np.int64]
    false_is_leaf: NDArray[np.int64]
    leaf_class: NDArray[np.int64]
    leaf_weight: NDArray[np.float32]


def join(trees: Sequence[Tree]) -> Branches:
    """Returns the trees' tables, one below the other."""
    tables: list[Branches] = []
    first_inner, first_leaf = 0, 0
    for tree in map(_rooted, trees):
        tables.append(_table(tree, first_inner, first_leaf))
        first_inner, first_leaf = first_inner + len(tables[-1].split), first_leaf + len(tables[-1].leaf_class)
    columns = {name: np.concatenate([getattr(table, name) for table in tables]) for name in vars(tables[0])}
    return Branches(**columns)


def _table(tree: Tree, first_inner: int, first_leaf: int) -> Branches:
    is_leaf = tree.left < 0
    position = np.where(is_leaf, np.cumsum(is_leaf) - 1 + first_leaf, np.cumsum(~is_leaf) - 1 + first_inner)
    left, right = tree.left[~is_leaf], tree.right[~is_leaf]
    return Branches(
        roots=np.array([first_inner]),
        feature=tree.feature[~is_leaf],
        split=_round_down(tree.threshold[~is_leaf]),
        true_node=position[left],
        true_is_leaf=is_leaf[left].astype(np.int64),
        false_node=position[right],
        false_is_leaf=is_leaf[right].astype(np.int64),
        leaf_class=tree.leaf_class[is_leaf],
        leaf_weight=tree.leaf_weight[is_leaf].astype(np.float32),
    )


def _rooted(tree: Tree) -> Tree:
    """Returns a tree with at least one inner node, as ONNX wants it: both its branches share a lone leaf."""
    if tree.left[0] >= 0:
        return tree
    child, zeros = np.array([1, -1]), np.zeros(2, dtype=np.int64)
    leaf = np.repeat(tree.leaf_class[:1], 2), np.repeat(tree.leaf_weight[:1], 2)
    return Tree(child, child, zeros, zeros.astype(np.float64), *leaf)


def _round_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Returns the largest float32 below or at each threshold: no float32 lies between, so no sample moves."""
    rounded = thresholds.astype(np.float32)
    above = rounded.astype(np.float64) > thresholds
    return np.where(above, np.nextafter(rounded, np.float32(-np.inf)), rounded).astype(np.float32)
