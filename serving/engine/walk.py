"""The walk of rows through a forest, compiled by Numba when this module is first imported.

A node is two words of 32 bits: its threshold as float32, and, from the lowest bit on,

- 8 bits: the column that it looks at;
- 3 bits: what follows where the value is not above the threshold: a class, or AHEAD for the next node;
- 21 bits: what follows where it is above: a class, or AHEAD - 1 more than the nodes to go ahead.

Behind the columns come the same with their sign turned: with them each node can have what follows more often
at its side (serving/engine/layout.py).

At each step a walk waits for memory, and for a branch that nobody can foresee. So a row walks through all
trees side by side, and the next node of each is asked of the memory long before its turn comes; and what
follows is cut out of the word by the outcome of the comparison instead of being branched to: 8 microseconds
for 200 trees, where one tree after the other takes 125 (docs/decisions/0012-a-forest-of-votes.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import float32, int64, njit, types, uint32, uint64
from numba.core import cgutils
from numba.extending import intrinsic

from serving.engine.tables import AHEAD, COLUMN_BITS, FAR_BITS, NEAR_BITS, WORDS

WALKS = 256
BYTES = 4
COLUMNS = (1 << COLUMN_BITS) - 1


def _read_only(kind: Any) -> Any:
    return types.Array(kind, 1, "C", readonly=True)


def _prefetch(_: Any, address: Any) -> Any:
    """Asks the memory for what lies at an address by LLVM's own `llvm.prefetch`, and does not wait for it."""

    def build(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        insert: Any = cgutils.get_or_insert_function
        prefetch = insert(builder.module, kind, "llvm.prefetch.p0")
        to_read, to_stay, data = number(0), number(3), number(1)
        builder.call(prefetch, [builder.inttoptr(arguments[0], pointer), to_read, to_stay, data])
        return context.get_dummy_value()

    return types.void(address), build


_ask_for: Any = intrinsic(_prefetch)
MATRIX = types.Array(float32, 2, "C")
TABLES = (_read_only(float32), _read_only(uint32), uint64, _read_only(int64))


@njit(types.void(MATRIX, *TABLES, MATRIX), nogil=True)
def count_votes(matrix: Any, thresholds: Any, nodes: Any, address: Any, roots: Any, votes: Any) -> None:
    """Adds each tree's vote for each row; Python's lock is free meanwhile.

    All indices are unsigned: Numba would look at the sign of others at each step.

    Args:
        matrix: The rows' columns, and their negatives, shape (n_rows, 2 * n_columns).
        thresholds: The nodes again, seen as float32: the first of each two is the threshold.
        nodes: Shape (2 * n_nodes,).
        address: Where they lie in memory.
        roots: The first node of each tree, shape (n_trees,).
        votes: Added to, shape (n_rows, n_classes).
    """
    at, n_trees = np.empty(WALKS, np.uint64), uint64(len(roots))
    # Looked up by the outcome: as numbers in the code they would become a branch.
    cut = np.array([(1 << NEAR_BITS) - 1, (1 << FAR_BITS) - 1], np.uint64)
    for row in range(uint64(len(matrix))):
        values, mine = matrix[row], votes[row]
        for first in range(uint64(0), n_trees, uint64(WALKS)):
            walking = min(uint64(WALKS), n_trees - first)
            for tree in range(walking):
                at[tree] = uint64(roots[first + tree]) * uint64(WORDS)
                _ask_for(address + at[tree] * uint64(BYTES))
            while walking > uint64(0):
                walk = uint64(0)
                while walk < walking:
                    node = at[walk]
                    word = uint64(nodes[node + uint64(1)])
                    is_above = uint64(values[word & uint64(COLUMNS)] > thresholds[node])
                    follows = word >> (uint64(COLUMN_BITS) + uint64(NEAR_BITS) * is_above) & cut[is_above]
                    if follows >= uint64(AHEAD):
                        at[walk] = node + (follows - uint64(AHEAD - 1)) * uint64(WORDS)
                        _ask_for(address + at[walk] * uint64(BYTES))
                        walk += uint64(1)
                    else:
                        mine[follows] += float32(1)
                        walking -= uint64(1)
                        at[walk] = at[walking]
