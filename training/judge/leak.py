"""The leak meter: what a random split of the landed rows would have reported of the same model.

The API hands out random tenths of a slice, so a row lands again and again. Whoever splits what has landed
has most of his test rows among his training rows, and measures memory. This does just that, beside the
honest figure, so that a reader sees how far apart they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.fit.candidates.candidate import Candidate, FitInput, Parameters
from training.fit.rows import TrainingSet
from training.judge.scores import Interval, accuracy_interval, confusion_matrix, macro_f1_interval
from training.settings import TrainingSettings

TEST_SHARE = 0.2


@dataclass(frozen=True)
class RandomSplitScores:
    """What a random split would have reported.

    Attributes:
        macro_f1: With the interval that a bootstrap of its test rows gives.
        accuracy: On the same rows.
        test_rows: Landed rows that it would have tested on.
        seen_rows: Those of them that are among its training rows too.
    """

    macro_f1: Interval
    accuracy: Interval
    test_rows: int
    seen_rows: int


def random_split_scores(
    candidate: Candidate,
    parameters: Parameters,
    rows: TrainingSet,
    matrices: tuple[NDArray[np.float32], NDArray[np.float32]],
    n_classes: int,
    settings: TrainingSettings,
) -> RandomSplitScores | None:
    """Splits landed rows at random, learns from 80 % and tests on 20 %, as is usual.

    A row that landed often is learned from as one row that counts often: the cost is that of its distinct
    rows.

    Args:
        candidate: The same that the model was learned with.
        parameters: The same.
        rows: Both sides of the split, with how often each row has landed.
        matrices: Features of the rows to train on and of the held-out rows.
        n_classes: Number of classes.
        settings: Draws, threads, and the seed of the split, the model and the resampling.

    Returns: None where so little has landed that a side is empty.
    """
    matrix, labels = np.concatenate(matrices), np.concatenate([rows.train.labels, rows.test.labels])
    sightings = np.concatenate([rows.train.sightings, rows.test.sightings])
    tested = np.random.default_rng(settings.seed).binomial(sightings, TEST_SHARE)
    trained = sightings - tested
    to_train, to_test = np.flatnonzero(trained), np.flatnonzero(tested)
    if not len(to_test) or len(np.unique(labels[to_train])) < 2:
        return None
    fit_input = FitInput(
        matrix[to_train],
        labels[to_train],
        n_classes,
        trained[to_train],
        settings.seed,
        settings.n_jobs,
    )
    predicted = candidate.fit(fit_input, parameters).answer(matrix[to_test]).labels
    confusion = confusion_matrix(labels[to_test], predicted, n_classes, tested[to_test])
    return RandomSplitScores(
        macro_f1=macro_f1_interval(confusion, draws=settings.bootstrap_draws, seed=settings.seed),
        accuracy=accuracy_interval(confusion),
        test_rows=int(tested.sum()),
        seen_rows=int(tested[trained > 0].sum()),
    )
