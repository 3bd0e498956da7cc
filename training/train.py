"""From the published snapshot to a judged model version: one call."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from clients.mlflow import Version
from contracts.errors import NothingPublished
from contracts.model_artefact import CHAMPION, Decision, Tag
from lake.publish.pointer import Publication, latest
from lake.settings import LakeSettings
from training.clock import Clock
from training.fit.candidates import Choice
from training.fit.challenger import fit
from training.fit.rows import TrainingSet, read_training_set
from training.fit.search import found_by_search
from training.judge.gate import judge
from training.judge.scores import Interval
from training.promote.promotion import apply_decision, resume_decision, resume_promotion
from training.promote.registry import Registry
from training.report.runs import write_run
from training.retrain_policy import ASKED, retrain_policy
from training.settings import TrainingSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """What came of one call of `train`.

    Attributes:
        run_id: The MLflow run.
        version: The registered version.
        is_new: False if nothing was trained; the rest then tells of the newest version.
        decision: What became of it: promoted, refused, or awaiting a person's approval.
        reason: One sentence: why, or why not.
        trained_because: Why there was a training.
        macro_f1: With its 95 % interval, on held-out rows.
        accuracy: On the same rows.
        naive_macro_f1: What a random split of landed rows would have reported; None if it was not asked for.
        snapshot_id: The snapshot that it learned from.
        train_rows: Rows that it learned from.
        test_rows: Rows that were held out.
        notes: What a reader should know before believing the figures; empty if nothing.
        seconds: Per step, in the order in which they were done.
    """

    run_id: str
    version: int
    is_new: bool
    decision: str
    reason: str
    trained_because: str
    macro_f1: Interval
    accuracy: float
    naive_macro_f1: float | None
    snapshot_id: int
    train_rows: int
    test_rows: int
    notes: str
    seconds: Mapping[str, float]

    @property
    def promoted(self) -> bool:
        """Returns whether the gate made it the champion."""
        return self.decision == Decision.PROMOTED


def train(
    settings: TrainingSettings | None = None,
    lake: LakeSettings | None = None,
    *,
    force: bool = False,
    reason: str | None = None,
) -> Trained:
    """Trains on the published snapshot, registers the model, and lets the gate decide.

    Without a reason there is no run, and the newest version is returned. A snapshot is trained once: asked
    again, this returns what came of it the first time. A version that was registered but not judged, or
    judged and not promoted, because the process ended in between, is brought to its end now.

    Args:
        settings: From the environment if not given.
        lake: From the environment if not given.
        force: Train even if a version of this snapshot exists, or nothing calls for it.
        reason: Why, where it is forced.

    Raises: NothingPublished; TooFewRows; CandidateUnknown, ParametersInvalid, ExtraMissing; ParityBroken;
        ServiceUnavailable if MLflow does not answer.
    """
    settings, lake, clock = settings or TrainingSettings(), lake or LakeSettings(), Clock()
    publication = latest(lake)
    if publication is None:
        raise NothingPublished
    with clock.step("connect"):
        registry = Registry(settings)
        resume_promotion(registry)
        begun = None if force else registry.of_snapshot(publication.snapshot_id)
    if begun is not None and (says := _recovered(registry, begun, publication)):
        return _trained(registry.version(begun.number), clock, is_new=False, reason=says)
    why = reason or ASKED
    if begun is None and not force:
        newest = registry.newest()
        found = retrain_policy(newest, registry.with_alias(CHAMPION), publication, lake, settings)
        if newest is not None and not found.is_due:
            return _trained(newest, clock, is_new=False, reason=found.reason)
        why = found.reason
    with clock.step("read"):
        rows = read_training_set(lake, publication)
    version = begun or _fitted(registry, rows, settings, clock, why)
    with clock.step("judge"):
        verdict = judge(registry, version, rows, settings)
        apply_decision(registry, version, verdict, needs_approval=settings.approval)
    return _trained(registry.version(version.number), clock, is_new=begun is None)


def _recovered(registry: Registry, begun: Version, publication: Publication) -> str | None:
    """Brings what was decided of a version to its end. Returns: what came of it; None if it is not judged."""
    if Tag.VERDICT in begun.tags:
        said = begun.tags[Tag.VERDICT_REASON]
        return f"snapshot {publication.snapshot_id} had been trained before: {said}"
    return begun.tags[Tag.VERDICT_REASON] if resume_decision(registry, begun) else None


def _fitted(
    registry: Registry, rows: TrainingSet, settings: TrainingSettings, clock: Clock, why: str
) -> Version:
    """Fits the candidate that is set, or that a search has found, and registers it."""
    training = fit(rows, settings, clock, Choice.by(settings, found_by_search(registry, settings)))
    with clock.step("register"):
        return write_run(registry, training, why)


def _trained(version: Version, clock: Clock, *, is_new: bool, reason: str | None = None) -> Trained:
    tags = version.tags
    figures = (float(tags[name]) for name in ("macro_f1", "macro_f1_low", "macro_f1_high"))
    trained = Trained(
        run_id=version.run_id,
        version=version.number,
        is_new=is_new,
        decision=tags.get(Tag.VERDICT, ""),
        reason=reason or tags.get(Tag.VERDICT_REASON, ""),
        trained_because=tags.get(Tag.REASON, ""),
        macro_f1=Interval(*figures),
        accuracy=float(tags[Tag.ACCURACY]),
        naive_macro_f1=float(tags[Tag.NAIVE_MACRO_F1]) if Tag.NAIVE_MACRO_F1 in tags else None,
        snapshot_id=int(tags[Tag.SNAPSHOT_ID]),
        train_rows=int(tags[Tag.TRAIN_ROWS]),
        test_rows=int(tags[Tag.TEST_ROWS]),
        notes=tags.get(Tag.NOTES, ""),
        seconds=clock.seconds,
    )
    logger.info(
        "trained version=%d snapshot=%d macro_f1=%.4f [%.4f, %.4f] decision=%s",
        trained.version,
        trained.snapshot_id,
        *(trained.macro_f1.value, trained.macro_f1.low, trained.macro_f1.high),
        trained.decision,
    )
    return trained
