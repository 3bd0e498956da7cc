"""Where each node of a forest lies in its table: beside the node that most rows come from.

A row waits for memory whenever it leaves a cache line, which holds eight nodes. So a node is followed by the
one of its two that has more nodes below it, and the other comes after all of those: a third fewer lines for
a row than where the left one always follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
LEAF = -1


@dataclass(frozen=True)
class Placed:
    """The nodes in their new order.

    Attributes:
        order: The node that lies at each place.
        is_swapped: Whether what follows at once is where a value is above the threshold.
        ahead: How far on the one lies that does not follow at once; of no meaning where that is a leaf.
        roots: Where each tree begins.
    """

    order: Positions
    is_swapped: NDArray[np.bool_]
    ahead: Positions
    roots: Positions


def place(not_above: Positions, above: Positions, roots: Positions) -> Placed:
    """Lays out all trees.

    Args:
        not_above: What follows each node where a value is not above the threshold, or LEAF; a node lies
            behind the one that it follows.
        above: The same where it is above.
        roots: The first node of each tree.

    Raises: ValueError if not exactly one way leads to each node.
    """
    levels = list(_levels(not_above, above, roots))
    sizes = np.append(np.ones(len(above), np.int64), 0)  # the last one is a leaf's
    for level in reversed(levels):
        sizes[level] = 1 + sizes[not_above[level]] + sizes[above[level]]
    is_swapped = sizes[above] > sizes[not_above]
    near, far = np.where(is_swapped, above, not_above), np.where(is_swapped, not_above, above)
    ahead = 1 + sizes[near]
    at = np.zeros(len(above) + 1, np.int64)
    at[roots] = np.cumsum(sizes[roots]) - sizes[roots]
    for level in levels:
        at[near[level]], at[far[level]] = at[level] + 1, at[level] + ahead[level]
    order = np.argsort(at[:-1])
    if not np.array_equal(at[order], np.arange(len(order))):
        raise ValueError("several ways lead to a node, or none")
    return Placed(order, is_swapped[order], ahead[order], at[roots])


def _levels(not_above: Positions, above: Positions, roots: Positions) -> Iterator[Positions]:
    level = roots
    while len(level):
        yield level
        level = np.concatenate([not_above[level], above[level]])
        level = level[level != LEAF]
