"""Which version answers: applying what was decided, and going back.

The registry's aliases are moved one by one, and a process can end between two of them. So what they shall
be is written down first, in a tag of the registered model, and taken away last: the next process
finishes what was left unfinished. At every moment exactly one version bears `champion`.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict

from clients.mlflow import Version
from contracts.covertype import covertype
from contracts.errors import ModelMissing, NotAwaiting
from contracts.model_artefact import CHALLENGER, CHAMPION, PREVIOUS, Decision, Tag
from contracts.version_signature import May
from training.fit.artefact import reproduces
from training.judge.gate import Verdict
from training.promote.registry import Registry
from training.settings import TrainingSettings

logger = logging.getLogger(__name__)

SWAP = "swap"
RECORD = "gate.json"


def promote(settings: TrainingSettings, version: int) -> Version:
    """Makes a version the champion by hand; who was champion is kept as `previous`.

    Raises: ModelMissing if there is no such version or it does not answer its golden requests.
    """
    registry = Registry(settings)
    resume_promotion(registry)
    chosen = registry.version(version)
    artefact = registry.fetch(chosen)
    if not reproduces(artefact, artefact.golden, covertype()):
        raise ModelMissing(settings.model_name, f"version {version} does not answer its golden requests")
    set_champion(registry, chosen)
    registry.tag(chosen, {Tag.VERDICT_REASON: "promoted by hand", Tag.VERDICT: Decision.PROMOTED})
    return chosen


def rollback(settings: TrainingSettings) -> Version:
    """Makes the previous champion the champion again; a second rollback undoes the first.

    Raises: ModelMissing if there has been no other champion.
    """
    registry = Registry(settings)
    resume_promotion(registry)
    before = registry.with_alias(PREVIOUS)
    if before is None:
        raise ModelMissing(settings.model_name, "there has been no other champion to go back to")
    set_champion(registry, before)
    return before


def awaiting(settings: TrainingSettings) -> int | None:
    """Returns the challenger's number, if it waits for a person."""
    challenger = Registry(settings).with_alias(CHALLENGER)
    if challenger is None or challenger.tags.get(Tag.VERDICT) != Decision.AWAITING:
        return None
    return challenger.number


def answer(settings: TrainingSettings, version: int, *, is_approved: bool, person: str) -> Version:
    """Returns what a person says of a version that has passed the gate and waits for it.

    Args:
        settings: Where the registry is.
        version: Its number.
        is_approved: Whether it may answer.
        person: Who says so.

    Raises: ModelMissing if there is no such version, or if the gate did not let it pass; NotAwaiting if
        nobody was asked about it.
    """
    registry = Registry(settings)
    resume_promotion(registry)
    asked = registry.version(version)
    if asked.tags.get(Tag.VERDICT) != Decision.AWAITING:
        raise NotAwaiting(version, asked.tags.get(Tag.VERDICT, "not judged"))
    if is_approved:  # whoever may write tags can write that it waits
        registry.download_signed(asked, May.BE_ASKED, May.ANSWER)
    says = f"{'approved' if is_approved else 'refused'} by {person}; {asked.tags.get(Tag.VERDICT_REASON, '')}"
    decision = Decision.PROMOTED if is_approved else Decision.REFUSED
    registry.tag(asked, {Tag.VERDICT_REASON: says, Tag.DECISION: decision})
    _record_decision(registry, asked, decision)
    return registry.version(version)


def apply_decision(
    registry: Registry, challenger: Version, verdict: Verdict, *, needs_approval: bool = False
) -> Decision:
    """Writes down what was decided, then does it.

    The tag `verdict` comes last: a version that has a `decision` and no verdict is left to `resume_decision`.

    Args:
        registry: Where to.
        challenger: What was judged.
        verdict: What the gate says.
        needs_approval: Whether a person is asked before a better model answers.
    """
    decision = Decision.REFUSED
    if verdict.promoted:
        decision = Decision.AWAITING if needs_approval else Decision.PROMOTED
    record = [asdict(item) for item in verdict.criteria]
    registry.keep(challenger, RECORD, {"decision": decision, "reason": verdict.reason, "criteria": record})
    tags: dict[str, str] = {Tag.VERDICT_REASON: verdict.reason, Tag.GATE: json.dumps(record)}
    compared = next((item for item in verdict.criteria if item.name == "macro_f1"), None)
    if compared and compared.value is not None:
        tags[Tag.MACRO_F1_DIFFERENCE] = f"{compared.value:.6f}"
    registry.tag(challenger, tags | {Tag.DECISION: decision})
    _record_decision(registry, challenger, decision)
    return decision


def resume_decision(registry: Registry, version: Version) -> Decision | None:
    """Finishes what was decided about a version by a process that ended.

    Returns: None if nothing was, or if the gate has not signed it: whoever may write tags can write this one.
    """
    if Tag.DECISION not in version.tags:
        return None
    decision = Decision(version.tags[Tag.DECISION])
    try:
        registry.download_signed(version, May.ANSWER if decision is Decision.PROMOTED else May.BE_ASKED)
    except ModelMissing as error:
        logger.warning("judged_again version=%d reason=%s", version.number, error)
        return None
    _record_decision(registry, version, decision)
    return decision


def set_champion(registry: Registry, version: Version) -> None:
    """Signs that a version may answer, moves `champion` to it and `previous` to the one that had it."""
    registry.sign(version, May.ANSWER)
    current = registry.with_alias(CHAMPION)
    if current is None or current.number != version.number:
        previous = current or registry.with_alias(PREVIOUS)
        aliases = {CHAMPION: version.number, PREVIOUS: previous.number if previous else None}
        registry.tag_model({SWAP: json.dumps(aliases)})
        resume_promotion(registry)
    challenger = registry.with_alias(CHALLENGER)
    if challenger is not None and challenger.number == version.number:
        registry.unpoint(CHALLENGER)


def resume_promotion(registry: Registry) -> None:
    """Moves the aliases to where a process that ended has left a note that they shall be."""
    note = registry.model_tags().get(SWAP)
    if note is None:
        return
    for alias, number in json.loads(note).items():
        if number is not None:
            registry.point(alias, number)
    registry.untag_model(SWAP)


def _record_decision(registry: Registry, version: Version, decision: Decision) -> None:
    if decision is Decision.PROMOTED:
        set_champion(registry, version)
    else:
        registry.sign(version, May.BE_ASKED)
        registry.point(CHALLENGER, version.number)
    registry.tag(version, {Tag.VERDICT: decision})
    logger.info("judged version=%d %s", version.number, decision)
