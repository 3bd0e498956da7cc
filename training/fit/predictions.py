"""What a model says of some rows, and the proof that ONNX and the library that grew it say the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.errors import ParityBroken

CLOSE = 1e-5


@dataclass(frozen=True)
class Answers:
    """What a model says of some rows.

    Attributes:
        labels: Predicted classes as positions in the contract's list, shape (n_rows,).
        probabilities: Of each class, shape (n_rows, n_classes).
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]


def require_parity(answers: Answers, expected: Answers) -> None:
    """Compares the artefact's answers with those of the library.

    Args:
        answers: The artefact's, for n_rows rows.
        expected: The library's, for the same rows.

    Raises: ParityBroken if one label differs, or one probability by more than 1e-5.
    """
    differs = answers.labels != expected.labels
    differs |= ~(np.abs(answers.probabilities - expected.probabilities).max(axis=1, initial=0.0) <= CLOSE)
    if differs.any():
        raise ParityBroken(int(differs.sum()), len(differs))
