"""All that the held-out rows say of a model, and what it has to be compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.covertype import Contract
from training.fit.baselines import Baseline, baselines
from training.fit.candidates.candidate import Candidate, Parameters
from training.fit.predictions import Answers
from training.fit.rows import Rows, TrainingSet
from training.judge.calibration import Calibration, calibration
from training.judge.leak import RandomSplitScores, random_split_scores
from training.judge.scores import (
    Interval,
    Scores,
    accuracy_interval,
    confusion_matrix,
    macro_f1_interval,
    score,
)
from training.settings import TrainingSettings

AREA = "wilderness_area"


@dataclass(frozen=True)
class AreaScore:
    """How well a model does within one wilderness area.

    Attributes:
        name: The area.
        rows: Held-out rows of it.
        macro_f1: Over the classes that grow there.
        accuracy: On the same rows.
    """

    name: str
    rows: int
    macro_f1: Interval
    accuracy: Interval


@dataclass(frozen=True)
class Evaluation:
    """What is known of a model before it answers anybody.

    Attributes:
        scores: Honest: on held-out rows.
        areas: The same rows by wilderness area, those without rows left out.
        calibration: Whether it is as sure as it is right.
        baselines: What it has to beat, on the same rows.
        naive: What a random split of the landed rows would have reported; None if it was not asked for.
    """

    scores: Scores
    areas: tuple[AreaScore, ...]
    calibration: Calibration
    baselines: tuple[Baseline, ...]
    naive: RandomSplitScores | None


def evaluate(
    rows: TrainingSet,
    answers: Answers,
    matrices: tuple[NDArray[np.float32], NDArray[np.float32]],
    learned: tuple[Candidate, Parameters],
    contract: Contract,
    settings: TrainingSettings,
) -> Evaluation:
    """Scores a model's answers to the held-out rows, and what it is compared with.

    Args:
        rows: Both sides of the split.
        answers: The model's, to the held-out rows.
        matrices: Features of the rows to train on and of the held-out rows.
        learned: How the model was learned.
        contract: Names the classes and areas.
        settings: Draws, seed, and whether to take the figure of a random split.
    """
    n_classes, test = len(contract.class_names), rows.test
    naive = None
    if settings.leak_meter:
        naive = random_split_scores(*learned, rows, matrices, n_classes, settings)
    return Evaluation(
        scores=score(
            test.labels,
            answers.labels,
            answers.probabilities,
            contract.class_names,
            draws=settings.bootstrap_draws,
            seed=settings.seed,
        ),
        areas=areas(test, answers.labels, contract, settings),
        calibration=calibration(test.labels, answers.labels, answers.probabilities),
        baselines=baselines(
            (matrices[0], rows.train.labels), (matrices[1], test.labels), n_classes, settings
        ),
        naive=naive,
    )


def areas(
    test: Rows, predicted: NDArray[np.int64], contract: Contract, settings: TrainingSettings
) -> tuple[AreaScore, ...]:
    """Returns scores by wilderness area.

    Args:
        test: Held-out rows.
        predicted: What was predicted for them, shape (n_rows,).
        contract: Names the classes and areas.
        settings: Draws and seed.
    """
    scored = []
    for name, positions in positions_by_area(test, contract).items():
        if len(positions):
            labels = test.labels[positions]
            confusion = confusion_matrix(labels, predicted[positions], len(contract.class_names))
            macro_f1 = macro_f1_interval(confusion, draws=settings.bootstrap_draws, seed=settings.seed)
            scored.append(AreaScore(name, len(positions), macro_f1, accuracy_interval(confusion)))
    return tuple(scored)


def positions_by_area(rows: Rows, contract: Contract) -> dict[str, NDArray[np.int64]]:
    """Returns where the rows of each of the contract's wilderness areas are."""
    values = next(column.values for column in contract.features if column.name == AREA)
    return {name: np.flatnonzero(rows.features[AREA][:, 0] == name) for name in values}
