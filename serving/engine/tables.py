"""The tables that a forest is answered from: made of the model's own bytes whenever it is loaded.

Nobody has signed tables, so none are kept: who may write beside a signed model could put others there.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOG = logging.getLogger(__name__)
# What a node is made of; serving/engine/walk.py says how.
WORDS, COLUMN_BITS, NEAR_BITS, FAR_BITS, AHEAD = 2, 8, 3, 21, 7
PREPARED_WITHIN_S = 120.0


@dataclass(frozen=True)
class Tables:
    """A forest of votes.

    Attributes:
        features: The model's graph up to its trees.
        nodes: Of all trees, two words each, shape (2 * n_nodes,).
        roots: The first node of each tree, shape (n_trees,).
    """

    features: bytes
    nodes: NDArray[np.uint32]
    roots: NDArray[np.int64]

    def packed(self) -> bytes:
        """Returns the same as bytes."""
        file = BytesIO()
        np.savez(file, features=np.frombuffer(self.features, np.uint8), nodes=self.nodes, roots=self.roots)
        return file.getvalue()

    @classmethod
    def unpacked(cls, content: bytes) -> Tables:
        """Returns what `packed` made bytes of."""
        with np.load(BytesIO(content), allow_pickle=False) as found:
            return cls(found["features"].tobytes(), found["nodes"], found["roots"])


def check_tables(tables: Tables, n_classes: int) -> int:
    """Refuses tables that the walk, which looks at no bounds, would leave.

    A node names what follows by how far ahead it lies, so a walk that stays inside comes to an end.

    Returns: the last column that a node looks at.
    Raises: ValueError.
    """
    nodes, roots = tables.nodes, tables.roots
    if nodes.dtype != np.uint32 or nodes.ndim != 1 or len(nodes) % WORDS:
        raise ValueError("its nodes are not two words of 32 bits each")
    if roots.dtype != np.int64 or roots.ndim != 1 or not len(roots):
        raise ValueError("its roots are no table of places")
    words, n_nodes = nodes[1::WORDS], len(nodes) // WORDS
    if roots.min() < 0 or roots.max() >= n_nodes:
        raise ValueError(f"its roots are {roots.min()} to {roots.max()}, not 0 to {n_nodes - 1}")
    near, far = words >> COLUMN_BITS & (1 << NEAR_BITS) - 1, words >> COLUMN_BITS + NEAR_BITS
    for follows in (near, far):
        _check_follows(follows, n_nodes, n_classes)
    return int((words & (1 << COLUMN_BITS) - 1).max())


def _check_follows(follows: NDArray[Any], n_nodes: int, n_classes: int) -> None:
    is_class = follows < AHEAD
    if np.any(follows[is_class] >= n_classes):
        raise ValueError(f"a node votes for another class than 0 to {n_classes - 1}")
    places = np.flatnonzero(~is_class) + follows[~is_class] - (AHEAD - 1)
    if np.any(places >= n_nodes):
        raise ValueError(f"after a node comes {places.max()}, and the last is {n_nodes - 1}")


def make_tables(model: bytes) -> Tables | None:
    """Returns the tables of a model, made in a process of its own (`serving/engine/preparing.py`).

    Returns: None if the model is left to ONNX Runtime; they save time, not truth.
    """
    command = [sys.executable, "-m", "serving.engine.preparing"]
    try:
        ended = subprocess.run(
            command, input=model, capture_output=True, timeout=PREPARED_WITHIN_S, check=False
        )
    except (subprocess.SubprocessError, OSError) as error:
        LOG.warning("model_not_prepared error=%s", error)
        return None
    if ended.returncode:
        reason = ended.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        LOG.info("model_not_prepared reason=%s", reason)
        return None
    return Tables.unpacked(ended.stdout)
