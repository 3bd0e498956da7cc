"""Scores that can be believed: each with the interval that its rows allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WIDE, WIDE_RECALL = 0.1, 0.3


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassScore:
    """How well one class is found.

    Attributes:
        name: The class.
        rows: Held-out rows of it.
        recall: Share of them that was found, with Wilson's interval; None without rows.
    """

    name: str
    rows: int
    recall: Interval | None


@dataclass(frozen=True)
class Scores:
    """What the held-out rows say of a model.

    Attributes:
        macro_f1: Mean F1 of the classes that have held-out rows; it decides.
        accuracy: Share of right answers; it is shown, and never decides.
        log_loss: Mean negative logarithm of the true class's probability, nats.
        classes: Each class by itself, in the contract's order.
        confusion: Rows by true (first axis) and predicted class.
        notes: What a reader should know before believing the figures.
    """

    macro_f1: Interval
    accuracy: Interval
    log_loss: float
    classes: tuple[ClassScore, ...]
    confusion: NDArray[np.int64]
    notes: tuple[str, ...]


def score(
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    class_names: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Scores:
    """Scores a model on rows that it has not learned from.

    Args:
        labels: True classes, shape (n_rows,).
        predicted: Predicted classes, shape (n_rows,).
        probabilities: Shape (n_rows, n_classes).
        class_names: The contract's classes, in order.
        draws: Resamples behind the interval of macro-F1.
        seed: Of the resampling.
    """
    confusion = confusion_matrix(labels, predicted, len(class_names))
    macro_f1 = macro_f1_interval(confusion, draws=draws, seed=seed)
    classes = tuple(
        ClassScore(name, int(row.sum()), wilson_interval(int(row[position]), int(row.sum())))
        for position, (name, row) in enumerate(zip(class_names, confusion, strict=True))
    )
    return Scores(
        macro_f1=macro_f1,
        accuracy=accuracy_interval(confusion),
        log_loss=log_loss(labels, probabilities),
        classes=classes,
        confusion=confusion,
        notes=_notes(macro_f1, classes, len(labels)),
    )


def confusion_matrix(
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    n_classes: int,
    counts: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Returns rows counted by true and predicted class, shape (n_classes, n_classes).

    Args:
        labels: True classes, shape (n_rows,).
        predicted: Predicted classes, shape (n_rows,).
        n_classes: Number of classes.
        counts: How often each row counts, shape (n_rows,); None if once.
    """
    cells = np.bincount(labels * n_classes + predicted, counts, minlength=n_classes * n_classes)
    return cells.reshape(n_classes, n_classes).astype(np.int64)


def macro_f1(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns macro-F1 of confusion matrices, shape (..., n_classes, n_classes) to (...).

    A class without true rows has no F1 of its own; it is left out of the mean, while rows that were
    wrongly given to it count against their true class.
    """
    true_rows = confusion.sum(axis=-1)
    found = np.diagonal(confusion, axis1=-2, axis2=-1)
    f1 = 2 * found / np.maximum(true_rows + confusion.sum(axis=-2), 1)
    has_rows = true_rows > 0
    means: NDArray[np.float64] = (f1 * has_rows).sum(axis=-1) / np.maximum(has_rows.sum(axis=-1), 1)
    return means


def macro_f1_interval(confusion: NDArray[np.int64], *, draws: int = 1000, seed: int = 0) -> Interval:
    """Returns 95 % percentile bootstrap interval of macro-F1.

    Drawing rows with replacement and counting them by true and predicted class is drawing the counts
    from a multinomial, so a draw costs n_classes**2 whatever the number of rows. In 600 simulated
    surveys the interval held the truth in 92, 92, 97 and 94 % for 232, 1,000, 4,000 and 20,000 rows; the
    basic and the bias-corrected interval did no better.

    Args:
        confusion: Rows by true and predicted class, shape (n_classes, n_classes).
        draws: Resamples of the rows, with replacement.
        seed: Of the resampling.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 13.
    """
    drawn = _resample(confusion.ravel(), draws, seed).reshape(draws, *confusion.shape)
    return _percentiles(float(macro_f1(confusion)), macro_f1(drawn))


def macro_f1_difference(
    labels: NDArray[np.int64],
    challenger: NDArray[np.int64],
    champion: NDArray[np.int64],
    n_classes: int,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """Returns 95 % paired bootstrap interval of the challenger's macro-F1 minus the champion's.

    Both answered the same rows and are resampled together, so what makes a row hard for both cancels.

    Args:
        labels: True classes, shape (n_rows,).
        challenger: Its predicted classes, shape (n_rows,).
        champion: Its predicted classes, shape (n_rows,).
        n_classes: Number of classes.
        draws: Resamples of the rows, with replacement.
        seed: Of the resampling.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 13 and 16.
    """
    shape = (n_classes, n_classes, n_classes)
    cells = np.bincount(np.ravel_multi_index((labels, challenger, champion), shape), minlength=n_classes**3)
    drawn = _resample(cells, draws, seed).reshape(draws, *shape)
    observed = cells.reshape(shape)
    value = macro_f1(observed.sum(axis=2)) - macro_f1(observed.sum(axis=1))
    return _percentiles(float(value), macro_f1(drawn.sum(axis=3)) - macro_f1(drawn.sum(axis=2)))


def recall_difference(
    challenger: NDArray[np.bool_], champion: NDArray[np.bool_], *, draws: int = 1000, seed: int = 0
) -> Interval:
    """Returns 95 % paired bootstrap interval of the challenger's share of right answers minus the champion's.

    Args:
        challenger: Whether it was right, for each row of one class, shape (n_rows,), not empty.
        champion: The same.
        draws: Resamples of the rows, with replacement.
        seed: Of the resampling.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 13 and 16.
    """
    rows = len(challenger)
    cells = np.bincount(challenger.astype(np.int64) - champion + 1, minlength=3)
    drawn = _resample(cells, draws, seed)
    return _percentiles((cells[2] - cells[0]) / rows, (drawn[:, 2] - drawn[:, 0]) / rows)


def wilson_interval(found: int, rows: int) -> Interval | None:
    """Returns Wilson's 95 % interval of a share; None without rows.

    Source: Wilson, Probable inference, the law of succession, and statistical inference (1927).
    """
    if rows == 0:
        return None
    from scipy.stats import binomtest

    bounds = binomtest(found, rows).proportion_ci(confidence_level=0.95, method="wilson")
    return Interval(found / rows, float(bounds.low), float(bounds.high))


def accuracy_interval(confusion: NDArray[np.int64]) -> Interval:
    """Returns Wilson's 95 % interval of the share of right answers; 0 to 1 around nothing without rows."""
    found = wilson_interval(int(np.trace(confusion)), int(confusion.sum()))
    return found or Interval(float("nan"), 0.0, 1.0)


def log_loss(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Returns mean negative logarithm of the true class's probability; 0 counts as float32's epsilon.

    Args:
        labels: True classes, shape (n_rows,).
        probabilities: Shape (n_rows, n_classes).
    """
    of_true_class = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(of_true_class, np.finfo(np.float32).eps)).mean())


def _resample(cells: NDArray[np.int64], draws: int, seed: int) -> NDArray[np.int64]:
    rows = int(cells.sum())
    return np.random.default_rng(seed).multinomial(rows, cells / rows, size=draws)


def _percentiles(value: float, drawn: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _notes(overall: Interval, classes: tuple[ClassScore, ...], rows: int) -> tuple[str, ...]:
    notes = [
        f"{item.name} has no held-out row: macro-F1 leaves it out" for item in classes if item.recall is None
    ]
    rare = [
        f"{item.name} {item.rows} (recall known to {_width(item.recall):.2f})"
        for item in classes
        if item.recall and _width(item.recall) > WIDE_RECALL
    ]
    if rare:
        notes.append(f"few held-out rows of {', '.join(rare)}")
    if _width(overall) > WIDE:
        notes.append(
            f"macro-F1 is known to {_width(overall):.2f} only, from {rows} held-out rows: "
            "collect more batches before comparing models by it"
        )
    return tuple(notes)


def _width(interval: Interval) -> float:
    return interval.high - interval.low
