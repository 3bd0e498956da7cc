"""Which version answers: the gate, and the way back.

A challenger is compared with the champion on the same held-out rows, by the paired bootstrap of the
difference of their macro-F1. Neither has learned from these rows: the split is a hash of a row's content,
so a row never changes sides between snapshots.

- No champion yet: the challenger is promoted.
- It does not answer its golden requests as recorded: refused.
- It learned from more rows: promoted unless it is worse, that is, unless the whole interval lies below
  zero, or the difference itself below -TRAINING_TOLERANCE. More rows are a reason by themselves, and early
  intervals are too wide for anything to be better beyond chance.
- It learned from as many rows or fewer: promoted only if the whole interval lies above zero.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from contracts.covertype import covertype
from contracts.errors import ModelMissing
from training.artefact import Artefact, reproduces
from training.registry import CHALLENGER, CHAMPION, PREVIOUS, Registry, Version
from training.rows import Rows
from training.scores import Interval, macro_f1_difference
from training.settings import TrainingSettings

logger = logging.getLogger(__name__)

VERDICT = "verdict"
PROMOTED = "promoted"
REFUSED = "refused"
REASON = "verdict_reason"


@dataclass(frozen=True)
class Verdict:
    """What was decided about a challenger.

    Attributes:
        promoted: Whether it is the champion now.
        reason: One sentence with the figures that decided.
        difference: Its macro-F1 minus the champion's, where there was one.
    """

    promoted: bool
    reason: str
    difference: Interval | None = None


def champion(settings: TrainingSettings) -> Version | None:
    """The version that answers now, or None.

    Raises: ServiceUnavailable.
    """
    return Registry(settings).with_alias(CHAMPION)


def promote(settings: TrainingSettings, version: int) -> Version:
    """Makes a version the champion by hand; who was champion is kept as `previous`.

    Raises: ModelMissing if there is no such version or it does not answer its golden requests.
    """
    registry = Registry(settings)
    chosen = registry.version(version)
    if not _reproduces(registry.fetch(chosen)):
        raise ModelMissing(settings.model_name, f"version {version} does not answer its golden requests")
    crown(registry, chosen)
    registry.tag(chosen, {VERDICT: PROMOTED, REASON: "promoted by hand"})
    return chosen


def rollback(settings: TrainingSettings) -> Version:
    """Makes the previous champion the champion again; a second rollback undoes the first.

    Raises: ModelMissing if there has been no other champion.
    """
    registry = Registry(settings)
    before = registry.with_alias(PREVIOUS)
    if before is None:
        raise ModelMissing(settings.model_name, "there has been no other champion to go back to")
    crown(registry, before)
    return before


def judge(registry: Registry, challenger: Version, test: Rows, settings: TrainingSettings) -> Verdict:
    """Compares a registered challenger with the champion; changes nothing.

    The challenger is judged as the registry gives it back, so that what was judged is what will answer.

    Args:
        registry: Holds both.
        challenger: A registered version.
        test: Held-out rows of the snapshot that it learned from.
        settings: Draws, seed and tolerance.
    """
    artefact = registry.fetch(challenger)
    current = registry.with_alias(CHAMPION)
    if not _reproduces(artefact):
        return Verdict(False, "it does not answer its golden requests as recorded")
    if current is None or current.number == challenger.number:
        return Verdict(True, "there was no champion")
    difference = macro_f1_difference(
        test.labels,
        artefact.answer(test.features).labels,
        registry.fetch(current).answer(test.features).labels,
        len(covertype().class_names),
        draws=settings.bootstrap_draws,
        seed=settings.seed,
    )
    return weigh(difference, _train_rows(challenger), _train_rows(current), settings.tolerance)


def weigh(difference: Interval, challenger_rows: int, champion_rows: int, tolerance: float) -> Verdict:
    """The rule at the top of this file, as a function of figures alone."""
    figures = f"macro-F1 {difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
    against = f"{figures} against the champion"
    if challenger_rows > champion_rows:
        more = f"after {challenger_rows} instead of {champion_rows} rows"
        if difference.high < 0 or difference.value < -tolerance:
            return Verdict(False, f"worse: {against}, {more}", difference)
        return Verdict(True, f"not worse: {against}, {more}", difference)
    if difference.low > 0:
        return Verdict(True, f"better beyond chance: {against}", difference)
    return Verdict(False, f"not better beyond chance, and no more rows: {against}", difference)


def carry_out(registry: Registry, challenger: Version, verdict: Verdict) -> None:
    """Moves the aliases as the verdict says, then writes the verdict into the version's tags.

    The verdict comes last: a version without one is judged again.
    """
    if verdict.promoted:
        crown(registry, challenger)
    else:
        registry.point(CHALLENGER, challenger)
    tags = {VERDICT: PROMOTED if verdict.promoted else REFUSED, REASON: verdict.reason}
    if verdict.difference:
        tags |= {
            "macro_f1_difference": f"{verdict.difference.value:.6f}",
            "macro_f1_difference_low": f"{verdict.difference.low:.6f}",
            "macro_f1_difference_high": f"{verdict.difference.high:.6f}",
        }
    registry.tag(challenger, tags)
    logger.info("judged version=%d %s: %s", challenger.number, tags[VERDICT], verdict.reason)


def crown(registry: Registry, version: Version) -> None:
    """Moves `champion` to a version and `previous` to the one that had it."""
    current = registry.with_alias(CHAMPION)
    if current is not None and current.number != version.number:
        registry.point(PREVIOUS, current)
    registry.point(CHAMPION, version)
    challenger = registry.with_alias(CHALLENGER)
    if challenger is not None and challenger.number == version.number:
        registry.unpoint(CHALLENGER)


def _reproduces(artefact: Artefact) -> bool:
    return reproduces(artefact, artefact.golden, covertype())


def _train_rows(version: Version) -> int:
    return int(version.tags.get("train_rows", 0))
