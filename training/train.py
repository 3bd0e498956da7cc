"""From the published snapshot to a judged model version: one call."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.errors import NothingPublished
from lake.published import latest
from lake.settings import LakeSettings
from training.clock import Clock
from training.due import too_little_new
from training.fit import fit
from training.promote import PROMOTED, REASON, VERDICT, Verdict, carry_out, judge
from training.registry import Registry, Version
from training.rows import read_training_set
from training.runs import write_run
from training.scores import Interval
from training.settings import TrainingSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """What came of one call of `train`.

    Attributes:
        run_id: The MLflow run.
        version: The registered version.
        is_new: False if nothing was trained; the rest then tells of the newest version.
        promoted: Whether the gate made it the champion.
        reason: One sentence: why, or why not.
        macro_f1: With its 95 % interval, on held-out rows.
        accuracy: On the same rows.
        snapshot_id: The snapshot that it learned from.
        train_rows: Rows that it learned from.
        test_rows: Rows that were held out.
        notes: What a reader should know before believing the figures; empty if nothing.
        seconds: Per step, in the order in which they were done.
    """

    run_id: str
    version: int
    is_new: bool
    promoted: bool
    reason: str
    macro_f1: Interval
    accuracy: float
    snapshot_id: int
    train_rows: int
    test_rows: int
    notes: str
    seconds: Mapping[str, float]


def train(
    settings: TrainingSettings | None = None, lake: LakeSettings | None = None, *, force: bool = False
) -> Trained:
    """Trains on the published snapshot, registers the model, and lets the gate decide.

    Without enough new rows since the newest version there is no run, and that version is returned. A
    snapshot is trained once: asked again, this returns what came of it the first time. A version that
    was registered but not judged, because the process ended in between, is judged now.

    Args:
        settings: From the environment if not given.
        lake: From the environment if not given.
        force: Train even if a version of this snapshot exists, or hardly a row is new.

    Raises: NothingPublished; TooFewRows; ParityBroken; ServiceUnavailable if MLflow does not answer.
    """
    settings, lake, clock = settings or TrainingSettings(), lake or LakeSettings(), Clock()
    publication = latest(lake)
    if publication is None:
        raise NothingPublished
    with clock.step("connect"):
        registry = Registry(settings)
        version = None if force else registry.of_snapshot(publication.snapshot_id)
    if version is not None and VERDICT in version.tags:
        reason = f"snapshot {publication.snapshot_id} had been trained before: {version.tags[REASON]}"
        known = Verdict(version.tags[VERDICT] == PROMOTED, reason)
        return _trained(version, known, clock, is_new=False)
    newest = None if force or version else registry.newest()
    if newest is not None and (missing := too_little_new(newest, publication, settings)):
        return _trained(newest, Verdict(newest.tags.get(VERDICT) == PROMOTED, missing), clock, is_new=False)
    with clock.step("read"):
        rows = read_training_set(lake, publication)
    is_new = version is None
    if version is None:
        training = fit(rows, settings, clock)
        with clock.step("register"):
            version = write_run(registry, training)
    with clock.step("judge"):
        verdict = judge(registry, version, rows.test, settings)
        carry_out(registry, version, verdict)
    return _trained(version, verdict, clock, is_new=is_new)


def _trained(version: Version, verdict: Verdict, clock: Clock, *, is_new: bool) -> Trained:
    tags = version.tags
    figures = (float(tags[name]) for name in ("macro_f1", "macro_f1_low", "macro_f1_high"))
    trained = Trained(
        run_id=version.run_id,
        version=version.number,
        is_new=is_new,
        promoted=verdict.promoted,
        reason=verdict.reason,
        macro_f1=Interval(*figures),
        accuracy=float(tags["accuracy"]),
        snapshot_id=int(tags["snapshot_id"]),
        train_rows=int(tags["train_rows"]),
        test_rows=int(tags["test_rows"]),
        notes=tags.get("notes", ""),
        seconds=clock.seconds,
    )
    logger.info(
        "trained version=%d snapshot=%d macro_f1=%.4f [%.4f, %.4f] promoted=%s",
        trained.version,
        trained.snapshot_id,
        *(trained.macro_f1.value, trained.macro_f1.low, trained.macro_f1.high),
        trained.promoted,
    )
    return trained
