"""A forest of votes, answered from tables of its nodes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from serving.inference import Answers, Columns, open_session

FOLDER, NODES_FILE, ROOTS_FILE, FEATURES_FILE = "forest", "nodes.npy", "roots.npy", "features.onnx"
# What a node is made of; serving/walk.py says how.
WORDS, COLUMN_BITS, NEAR_BITS, FAR_BITS, AHEAD = 2, 8, 3, 21, 7
# From so many rows on, a second thread takes half of them: Python's lock is free during a walk.
MANY_ROWS = 2_048


class Forest:
    """Answers as the model that its tables were made from does, to the last bit, in a tenth of the time.

    The features are computed by the model's own graph; the trees are walked by `serving/walk.py`.
    """

    def __init__(self, folder: Path, n_classes: int, *, is_shared: bool = False) -> None:
        """Opens the tables of a model.

        Args:
            folder: Where they lie.
            n_classes: Of the model.
            is_shared: Map them from the disk, so that several workers hold them once; a copy of its own, in
                large pages, is 4 % faster.

        Raises: OSError, ValueError if they cannot be read; whatever ONNX Runtime raises.
        """
        # Compiled on import, which takes most of a second: not before there is a forest.
        from serving.walk import count_votes

        self.session = open_session(folder / FEATURES_FILE)
        self._count = count_votes
        self._nodes = _table(folder / NODES_FILE, np.uint32, "r" if is_shared else None)
        self._thresholds = self._nodes.view(np.float32)
        self._roots = _table(folder / ROOTS_FILE, np.int64)
        self._n_classes = n_classes
        self._beside = ThreadPoolExecutor(1, "forest")

    def answer(self, columns: Columns) -> Answers:
        """The cover types of some rows."""
        (features,) = self.session.run(None, dict(columns))
        matrix = np.concatenate([features, -features], axis=1)
        votes = np.zeros((len(matrix), self._n_classes), np.float32)
        if len(matrix) < MANY_ROWS:
            self._add(matrix, votes)
        else:
            half = len(matrix) // 2
            other = self._beside.submit(self._add, matrix[half:], votes[half:])
            self._add(matrix[:half], votes[:half])
            other.result()
        return votes.argmax(axis=1), votes / np.float32(len(self._roots))

    def _add(self, matrix: NDArray[np.float32], votes: NDArray[np.float32]) -> None:
        self._count(matrix, self._thresholds, self._nodes, self._nodes.ctypes.data, self._roots, votes)


def _table(path: Path, kind: type[np.generic], mode: Literal["r"] | None = None) -> NDArray[Any]:
    """A one-dimensional table. Raises: OSError, ValueError."""
    table = np.load(path, mmap_mode=mode, allow_pickle=False)
    if table.dtype != kind or table.ndim != 1:
        raise ValueError(f"{path.name} is not a table of {kind.__name__}")
    plain: NDArray[Any] = table.view(np.ndarray)
    return plain
