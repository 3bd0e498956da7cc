"""The gate: what a challenger must show before it answers.

Every criterion is written down with its value, its threshold and a sentence, whether it held or not. A
challenger is judged as the registry gives it back, so that what was judged is what will answer, on rows
that neither it nor the champion has learned from: the split is a hash of a row's content, so a row never
changes sides between snapshots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from clients.mlflow import Version
from contracts.covertype import covertype
from contracts.errors import ChampionUnsigned, ModelMissing
from contracts.model_artefact import CHAMPION, Tag
from training.fit.rows import TrainingSet
from training.judge.comparison import compare
from training.judge.criterion import Criterion
from training.judge.probes import probe
from training.promote.registry import Registry
from training.promote.signature import require_registered
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

    Raises: ChampionUnsigned; ModelMissing if the challenger's file is gone, or not the registered one.
    """
    contract, current = covertype(), registry.with_alias(CHAMPION)
    champion = _signed(registry, current) if current else b""
    content = registry.download(challenger)
    require_registered(settings, challenger, content)  # what is signed in the end is what is judged here
    artefact = registry.load(challenger, content)
    criteria = probe(artefact, challenger.tags, rows, contract, settings)
    if current is None or current.number == challenger.number:
        return verdict(criteria, "there was no champion")
    if not criteria[0].passed:  # what does not answer cannot be compared
        return verdict(criteria, "")
    compared = compare(
        (artefact, registry.load(current, champion)),
        (int(challenger.tags.get(Tag.TRAIN_ROWS, 0)), int(current.tags.get(Tag.TRAIN_ROWS, 0))),
        rows.test,
        contract,
        settings,
    )
    return verdict([*criteria, *compared], compared[0].says)


def verdict(criteria: Sequence[Criterion], reason: str) -> Verdict:
    """Returns promoted if all hold; else what did not is the reason."""
    failed = [item.says for item in criteria if not item.passed]
    return Verdict(not failed, "; ".join(failed) or reason, tuple(criteria))


def _signed(registry: Registry, champion: Version) -> bytes:
    """Returns the champion's file: an alias alone makes nothing a measure. Raises: ChampionUnsigned."""
    try:
        return registry.download_signed(champion)
    except ModelMissing as error:
        raise ChampionUnsigned(champion.number, str(error)) from error
