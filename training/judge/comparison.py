"""The challenger beside the champion, on the same held-out rows.

Both answered the same rows and are resampled together, so what makes a row hard for both cancels.

- It learned from more rows: it must not be worse, that is, macro-F1's difference must not lie below zero
  beyond chance, nor itself below -TRAINING_TOLERANCE. More rows are a reason by themselves, and early
  intervals are too wide for anything to be better beyond chance.
- It learned from as many rows or fewer: it must be better beyond chance.
- No class's recall, and no area's macro-F1, may be worse by more than its tolerance and beyond chance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
    return [
        weigh(
            _difference(test.labels, challenger, champion, contract, settings),
            *train_rows,
            settings.tolerance,
        ),
        *_by_class(test, challenger, champion, contract, settings),
        *_by_area(test, challenger, champion, contract, settings),
    ]


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


def not_harmed(name: str, what: str, difference: Interval, tolerance: float) -> Criterion:
    """Refuses what is worse by more than its tolerance, and beyond chance."""
    is_harmed = difference.value < -tolerance and difference.high < 0
    says = f"{what} {_signed(difference)} against the champion, at most {tolerance:g} less is tolerated"
    return Criterion(name, not is_harmed, difference.value, -tolerance, says)


def _by_class(
    test: Rows,
    challenger: NDArray[np.int64],
    champion: NDArray[np.int64],
    contract: Contract,
    settings: TrainingSettings,
) -> list[Criterion]:
    criteria = []
    for label, name in enumerate(contract.class_names):
        positions = np.flatnonzero(test.labels == label)
        if len(positions):
            difference = recall_difference(
                challenger[positions] == label,
                champion[positions] == label,
                draws=settings.bootstrap_draws,
                seed=settings.seed,
            )
            tolerance = settings.recall_tolerances.get(name, settings.recall_tolerance)
            criteria.append(not_harmed(f"recall of {name}", f"recall of {name}", difference, tolerance))
    return criteria


def _by_area(
    test: Rows,
    challenger: NDArray[np.int64],
    champion: NDArray[np.int64],
    contract: Contract,
    settings: TrainingSettings,
) -> list[Criterion]:
    criteria = []
    for name, positions in positions_by_area(test, contract).items():
        if len(positions):
            difference = _difference(
                test.labels[positions], challenger[positions], champion[positions], contract, settings
            )
            what = f"macro-F1 in {name}"
            criteria.append(not_harmed(what, what, difference, settings.area_tolerance))
    return criteria


def _difference(
    labels: NDArray[np.int64],
    challenger: NDArray[np.int64],
    champion: NDArray[np.int64],
    contract: Contract,
    settings: TrainingSettings,
) -> Interval:
    return macro_f1_difference(
        labels,
        challenger,
        champion,
        len(contract.class_names),
        draws=settings.bootstrap_draws,
        seed=settings.seed,
    )


def _signed(interval: Interval) -> str:
    return f"{interval.value:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
