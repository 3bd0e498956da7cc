"""What a model has to beat: the most frequent class, and a tree that fits on a page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.judge.scores import Interval, accuracy_interval, confusion_matrix, macro_f1_interval
from training.settings import TrainingSettings

LEAVES = 32


@dataclass(frozen=True)
class Baseline:
    """How well something simple does on the same held-out rows."""

    name: str
    macro_f1: Interval
    accuracy: Interval


def baselines(
    train: tuple[NDArray[np.float32], NDArray[np.int64]],
    test: tuple[NDArray[np.float32], NDArray[np.int64]],
    n_classes: int,
    settings: TrainingSettings,
) -> tuple[Baseline, ...]:
    """Learns and scores each of them.

    Args:
        train: Features, shape (n_rows, n_features), and true classes, shape (n_rows,).
        test: The same, held out.
        n_classes: Number of classes.
        settings: Draws, and the seed of the tree and the resampling.
    """
    from sklearn.dummy import DummyClassifier
    from sklearn.tree import DecisionTreeClassifier

    simple = {
        "majority_class": DummyClassifier(strategy="most_frequent"),
        "small_tree": DecisionTreeClassifier(max_leaf_nodes=LEAVES, random_state=settings.seed),
    }
    scored = []
    for name, estimator in simple.items():
        confusion = confusion_matrix(test[1], estimator.fit(*train).predict(test[0]), n_classes)
        macro_f1 = macro_f1_interval(confusion, draws=settings.bootstrap_draws, seed=settings.seed)
        scored.append(Baseline(name, macro_f1, accuracy_interval(confusion)))
    return tuple(scored)
