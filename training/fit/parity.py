"""The proof that ONNX and the library that the model was grown with give the same answers."""

from __future__ import annotations

import numpy as np

from contracts.errors import ParityBroken
from training.fit.predictions import Answers

CLOSE = 1e-5


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
