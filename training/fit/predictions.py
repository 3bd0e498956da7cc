"""What a model says of some rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Answers:
    """What a model says of some rows.

    Attributes:
        labels: Predicted classes as positions in the contract's list, shape (n_rows,).
        probabilities: Of each class, shape (n_rows, n_classes).
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
