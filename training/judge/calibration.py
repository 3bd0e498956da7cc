"""Measures whether a model is as sure as it is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.judge.scores import Interval, wilson_interval

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Answers that were about equally sure.

    Attributes:
        rows: How many.
        confidence: Mean probability of the predicted class.
        accuracy: Share of right answers, with Wilson's interval.
    """

    rows: int
    confidence: float
    accuracy: Interval


@dataclass(frozen=True)
class Calibration:
    """Confidence against accuracy.

    Attributes:
        error: Expected calibration error: the mean distance of the two over all rows.
        brier: Mean squared distance of the probabilities from the truth, 0 to 2.
        bins: From the least to the most sure, about equally many rows each.
    """

    error: float
    brier: float
    bins: tuple[Bin, ...]


def calibration(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> Calibration:
    """Compares how sure a model is with how often it is right.

    Args:
        labels: True classes, shape (n_rows,).
        predicted: Predicted classes, shape (n_rows,).
        probabilities: Shape (n_rows, n_classes).

    Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, ICML (2017); Brier,
    Verification of forecasts expressed in terms of probability, Monthly Weather Review 78 (1950).
    """
    rows = np.arange(len(labels))
    confidence, is_right = probabilities[rows, predicted].astype(np.float64), labels == predicted
    order = np.argsort(confidence, kind="stable")
    bins = tuple(_bin(confidence[part], is_right[part]) for part in np.array_split(order, BINS) if len(part))
    error = sum(one.rows * abs(one.confidence - one.accuracy.value) for one in bins) / max(len(labels), 1)
    distances = probabilities.astype(np.float64)
    distances[rows, labels] -= 1
    return Calibration(float(error), float((distances**2).sum(axis=1).mean()), bins)


def _bin(confidence: NDArray[np.float64], is_right: NDArray[np.bool_]) -> Bin:
    accuracy = wilson_interval(int(is_right.sum()), len(is_right))
    assert accuracy is not None  # noqa: S101  # no bin is empty
    return Bin(len(is_right), float(confidence.mean()), accuracy)
