"""The gate: what a challenger must show before it answers.

Every criterion is written down with its value, its threshold and a sentence, whether it held or not. A
challenger is judged as the registry gives it back, so that what was judged is what will answer, on rows
that neither it nor the champion has learned from: the split is a hash of a row's content, so a row never
changes sides between snapshots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.covertype import covertype
from training.artefact import Artefact
from training.comparison import compare
from training.criterion import Criterion
from training.probes import probe
from training.registry import CHAMPION, Registry, Version
from training.rows import TrainingSet
from training.settings import TrainingSettings


@dataclass(frozen=True)
class Verdict:
    """What was decided about a challenger.

    Attributes:
        promoted: Whether it may answer.
        reason: One sentence with the figures that decided.
        criteria: All that was looked at.
    """

    promoted: bool
    reason: str
    criteria: tuple[Criterion, ...] = field(default=())


def judge(registry: Registry, challenger: Version, rows: TrainingSet, settings: TrainingSettings) -> Verdict:
    """Judges a registered challenger; changes nothing.

    Args:
        registry: Holds it, and the champion.
        challenger: A registered version.
        rows: Both sides of the split, at the snapshot that it learned from.
        settings: Tolerances and limits, draws and seed.
    """
    contract, artefact = covertype(), registry.fetch(challenger)
    criteria = probe(artefact, challenger.tags, rows, contract, settings)
    current = registry.with_alias(CHAMPION)
    if current is None or current.number == challenger.number:
        return verdict(criteria, "there was no champion")
    if not criteria[0].passed:  # what does not answer cannot be compared
        return verdict(criteria, "")
    compared = compare(
        _both(registry, current, artefact),
        (int(challenger.tags.get("train_rows", 0)), int(current.tags.get("train_rows", 0))),
        rows.test,
        contract,
        settings,
    )
    return verdict([*criteria, *compared], compared[0].says)


def verdict(criteria: Sequence[Criterion], reason: str) -> Verdict:
    """Promoted if all hold; else what did not is the reason."""
    failed = [item.says for item in criteria if not item.passed]
    return Verdict(not failed, "; ".join(failed) or reason, tuple(criteria))


def _both(registry: Registry, current: Version, artefact: Artefact) -> tuple[Artefact, Artefact]:
    return artefact, registry.fetch(current)
