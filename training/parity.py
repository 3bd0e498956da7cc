"""The proof that ONNX and scikit-learn give the same answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.errors import ParityBroken
from training.artefact import Answers

CLOSE = 1e-5


def require_parity(answers: Answers, votes: NDArray[np.int64]) -> None:
    """Compares the artefact's answers with the votes of scikit-learn's trees.

    Args:
        answers: The artefact's, for n_rows rows.
        votes: Trees of the same rows that chose each class, shape (n_rows, n_classes).

    Raises: ParityBroken if one label differs, or one probability by more than 1e-5.
    """
    shares = votes / votes.sum(axis=1, keepdims=True)
    differs = answers.labels != votes.argmax(axis=1)
    differs |= np.abs(answers.probabilities - shares).max(axis=1, initial=0.0) > CLOSE
    if differs.any():
        raise ParityBroken(int(differs.sum()), len(votes))
