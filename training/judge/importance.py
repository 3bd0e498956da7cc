"""Which columns a model's answers hang on: what is lost when one of them is shuffled among the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.fit.artefact import Artefact
from training.fit.rows import Rows

# 36,000 answers at most: about two seconds of a training, where all held-out rows would take minutes.
ROWS_BY_CLASS, SHUFFLES = 150, 3


@dataclass(frozen=True)
class Importance:
    """How much one column matters.

    Attributes:
        feature: The column.
        loss: By how much the mean recall of the classes falls when it is shuffled, mean of the shuffles.
        low: The least of them.
        high: The greatest of them.
    """

    feature: str
    loss: float
    low: float
    high: float


def importances(artefact: Artefact, test: Rows, *, seed: int) -> tuple[Importance, ...]:
    """Asks the artefact about held-out rows with one column after the other shuffled, greatest loss first.

    As many rows of each class are asked about, as far as there are: a rare class weighs as much as any.

    Args:
        artefact: The model as it answers.
        test: Held-out rows.
        seed: Of the choice of rows and of the shuffles.

    Source: Breiman, Random forests, Machine Learning 45 (2001), section 10.
    """
    random = np.random.default_rng(seed)
    rows = test.at(_balanced(test.labels, random))
    whole = _mean_recall(rows.labels, artefact.answer(rows.features).labels)
    found = [_importance(artefact, rows, name, whole, random) for name in rows.features]
    return tuple(sorted(found, key=lambda item: -item.loss))


def _importance(
    artefact: Artefact, rows: Rows, name: str, whole: float, random: np.random.Generator
) -> Importance:
    losses = []
    for _ in range(SHUFFLES):
        shuffled = {**rows.features, name: random.permutation(rows.features[name])}
        losses.append(whole - _mean_recall(rows.labels, artefact.answer(shuffled).labels))
    return Importance(name, float(np.mean(losses)), min(losses), max(losses))


def _balanced(labels: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    by_class = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.concatenate([random.permutation(places)[:ROWS_BY_CLASS] for places in by_class])


def _mean_recall(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    return float(np.mean([np.mean(predicted[labels == label] == label) for label in np.unique(labels)]))
