"""A forest of votes, answered from tables of its nodes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from serving.engine.inference import OUTPUT_TYPES, Answers, Columns, described, open_session
from serving.engine.tables import Tables, check_tables

# From so many rows on, a second thread takes half of them: Python's lock is free during a walk.
MANY_ROWS = 2_048


class Forest:
    """Answers as the model that its tables were made from does, to the last bit, in a tenth of the time.

    The features are computed by the model's own graph; the trees are walked by `serving/engine/walk.py`.
    """

    def __init__(self, tables: Tables, n_classes: int) -> None:
        """Takes the tables of a model, and looks once at their bounds.

        Raises: ValueError if a walk would leave them; whatever ONNX Runtime raises.
        """
        self._last_column = check_tables(tables, n_classes)
        # Compiled on import, which takes most of a second: not before there is a forest.
        from serving.engine.walk import count_votes

        self._session = open_session(tables.features)
        self.inputs, self.metadata = described(self._session)
        self.outputs = OUTPUT_TYPES  # they were looked at when the tables were made
        self._count = count_votes
        self._nodes, self._roots = tables.nodes, tables.roots
        self._thresholds = self._nodes.view(np.float32)
        self._n_classes = n_classes
        self._beside = ThreadPoolExecutor(1, "forest")

    def answer(self, columns: Columns) -> Answers:
        """Returns the cover types of some rows. Raises: ValueError if there are fewer columns than nodes
        look at."""
        (features,) = self._session.run(None, dict(columns))
        matrix = np.concatenate([features, -features], axis=1)
        if matrix.shape[1] <= self._last_column:
            raise ValueError(f"a node looks at column {self._last_column} of {matrix.shape[1]}")
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
