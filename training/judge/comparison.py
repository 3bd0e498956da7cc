"""The challenger beside the champion, on the same held-out rows.

Both answered the same rows and are resampled together, so what makes a row hard for both cancels.

- It learned from more rows: it must not be worse, that is, macro-F1's difference must not lie below zero
  beyond chance, nor itself below -TRAINING_TOLERANCE. More rows are a reason by themselves, and early
  intervals are too wide for anything to be better beyond chance.
- It learned from as many rows or fewer: it must be better beyond chance.
- No class's recall, and no area's macro-F1, may be worse by more than its tolerance and beyond chance.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from contracts.covertype import Contract
from training.fit.artefact import Artefact
from training.fit.rows import Rows
from training.judge.criterion import Criterion
from training.judge.evaluation import positions_by_area
from training.judge.scores import Interval, macro_f1_difference, recall_difference
from training.settings import TrainingSettings

MACRO_F1 = "macro_f1"


def compare(
    artefacts: tuple[Artefact, Artefact],
    train_rows: tuple[int, int],
    test: Rows,
    contract: Contract,
    settings: TrainingSettings,
) -> list[Criterion]:
    """Compares macro-F1 first, then each class, then each area.

    Args:
        artefacts: The challenger and the champion.
        train_rows: Rows that each has learned from.
        test: Held-out rows.
        contract: Names the classes and areas.
        settings: Tolerances, draws and seed.
    """
    challenger, champion = (artefact.answer(test.features).labels for artefact in artefacts)
    draws, seed, n_classes = settings.bootstrap_draws, settings.seed, len(contract.class_names)
    difference = partial(macro_f1_difference, n_classes=n_classes, draws=draws, seed=seed)
    compared = difference(test.labels, challenger, champion)
    criteria = [weigh(compared, *train_rows, settings.tolerance)]
    for label, name in enumerate(contract.class_names):
        rows = np.flatnonzero(test.labels == label)
        if len(rows):
            is_right = challenger[rows] == label, champion[rows] == label
            found = recall_difference(*is_right, draws=draws, seed=seed)
            tolerance = settings.recall_tolerances.get(name, settings.recall_tolerance)
            criteria.append(not_harmed(f"recall of {name}", found, tolerance))
    for name, rows in positions_by_area(test, contract).items():
        if len(rows):
            found = difference(test.labels[rows], challenger[rows], champion[rows])
            criteria.append(not_harmed(f"macro-F1 in {name}", found, settings.area_tolerance))
    return criteria


def weigh(difference: Interval, challenger_rows: int, champion_rows: int, tolerance: float) -> Criterion:
    """Returns the rule for macro-F1, as a function of figures alone."""
    against = f"macro-F1 {_signed(difference)} against the champion"
    if challenger_rows > champion_rows:
        more = f"after {challenger_rows} instead of {champion_rows} rows"
        is_worse = difference.high < 0 or difference.value < -tolerance
        says = f"{'worse' if is_worse else 'not worse'}: {against}, {more}"
        return Criterion(MACRO_F1, not is_worse, difference.value, -tolerance, says)
    if difference.low > 0:
        return Criterion(MACRO_F1, True, difference.low, 0.0, f"better beyond chance: {against}")
    says = f"not better beyond chance, and no more rows: {against}"
    return Criterion(MACRO_F1, False, difference.low, 0.0, says)


def not_harmed(name: str, difference: Interval, tolerance: float) -> Criterion:
    """Refuses what is worse by more than its tolerance, and beyond chance."""
    is_harmed = difference.value < -tolerance and difference.high < 0
    says = f"{name} {_signed(difference)} against the champion, at most {tolerance:g} less is tolerated"
    return Criterion(name, not is_harmed, difference.value, -tolerance, says)


def _signed(interval: Interval) -> str:
    return f"{interval.value:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
