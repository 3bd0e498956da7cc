"""The gate in front of the published pointer."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.covertype import covertype
from contracts.errors import AuditFailed, NothingPublished
from expectations.alerts import Alert, send
from expectations.frames import Frames, read_frames
from expectations.settings import AlertSettings, AuditSettings
from lake.bronze.held import held, hold, released
from lake.catalog.connection import connect, current_snapshot, prepare_catalog
from lake.catalog.tables import has_table
from lake.catalog.writer import one_writer
from lake.objects import Objects, open_objects
from lake.publish.audits import AuditRecord, record_audit
from lake.publish.digests import record_digests
from lake.publish.pointer import newest_publication
from lake.settings import LakeSettings

if TYPE_CHECKING:
    from expectations.validation import Finding, Validation

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Audit:
    """A snapshot that may be published.

    Attributes:
        audit_id: The audit's row in `published.audits`.
        snapshot_id: The DuckLake snapshot that was looked at.
        passed: How many expectations held.
        expectations: How many there were.
        warnings: What did not hold and does not matter enough.
        seconds: How long it took, the loading of Great Expectations included.
        docs: The page to open, or None where no pages are written.
    """

    audit_id: int
    snapshot_id: int
    passed: int
    expectations: int
    warnings: tuple[str, ...]
    seconds: float
    docs: Path | None

    @property
    def summary(self) -> str:
        """Returns one line for the publication."""
        return f"{self.passed} of {self.expectations} expectations held, {len(self.warnings)} warnings"


def audit(
    lake: LakeSettings | None = None,
    settings: AuditSettings | None = None,
    alerts: AlertSettings | None = None,
    *,
    snapshot_id: int | None = None,
) -> Audit:
    """Looks at what was built, before anybody reads it.

    Landings that fail as a whole are held back: the next build leaves them out. What was found is written
    down in `published.audits`, and somebody is told of failures and of warnings.

    Args:
        lake: Where the lake is; read from the environment if not given.
        settings: The limits; read from the environment if not given.
        alerts: Whom to tell; read from the environment if not given.
        snapshot_id: The snapshot to look at; the newest if not given.

    Raises: AuditFailed, naming expectation, column, observed value and a few failing rows; NothingPublished
        if nothing has been built.
    """
    lake, settings, alerts = lake or LakeSettings(), settings or AuditSettings(), alerts or AlertSettings()
    began, objects = time.monotonic(), open_objects(lake)
    snapshot_id, frames = _read(lake, settings, objects, snapshot_id)
    _quieten()
    from expectations.validation import Validation  # four seconds, so only when it is needed

    validation = Validation(settings.folder, f"snapshot-{snapshot_id:06d}")
    findings = _validate(validation, frames, settings)
    docs = validation.write_docs(settings.results_kept) if settings.has_docs else None
    failures = [finding for finding in findings if not finding.is_warning]
    warnings = tuple(finding.text for finding in findings if finding.is_warning)
    stopped = _hold(objects, failures)
    record = AuditRecord(
        snapshot_id=snapshot_id,
        audited_at=datetime.now(UTC),
        seconds=round(time.monotonic() - began, 2),
        is_passed=not failures,
        expectations=validation.expectations,
        failures=tuple(finding.text for finding in failures),
        warnings=warnings,
        landings=tuple(frames.judged),
        held=tuple(stopped),
    )
    audit_id = _record(lake, record)
    _tell(record, failures, alerts)
    passed = record.expectations - len(findings)
    return Audit(audit_id, snapshot_id, passed, record.expectations, warnings, record.seconds, docs)


def _record(lake: LakeSettings, record: AuditRecord) -> int:
    audit_id = record_audit(lake, record)
    found = [len(texts) for texts in (record.failures, record.warnings, record.held)]
    logger.info(
        "audited audit=%d snapshot=%d expectations=%d failures=%d warnings=%d held=%d seconds=%.1f",
        *(audit_id, record.snapshot_id, record.expectations, *found, record.seconds),
    )
    return audit_id


def _quieten() -> None:
    """Sets what Great Expectations reads while it is loaded: it calls home, and logs 400 lines of no use."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.WARNING)


def _read(
    lake: LakeSettings, settings: AuditSettings, objects: Objects, snapshot_id: int | None
) -> tuple[int, Frames]:
    prepare_catalog(lake, write=False)
    # What was built is recorded first, so that it is known what is looked at here and published afterwards.
    with one_writer(lake), connect(lake, write=True) as connection:
        record_digests(lake, connection)
        publication = newest_publication(connection)
        snapshot_id = current_snapshot(connection) if snapshot_id is None else snapshot_id
    with connect(lake, snapshot_id=snapshot_id) as connection:
        if not has_table(connection, "gold.training_set"):
            raise NothingPublished(f"Snapshot {snapshot_id} has no gold to audit")
        published = publication.snapshot_id if publication else None
        holds = {"held": held(objects), "released": released(objects)}
        return snapshot_id, read_frames(connection, covertype(), settings, published, **holds)


def _validate(validation: Validation, frames: Frames, settings: AuditSettings) -> list[Finding]:
    from expectations import suites

    pairs = [
        (suites.landings_suite(settings), frames.landings, ["landing_id", "quarantined_for"]),
        (suites.drift_suite(settings), frames.drift, ["landing_id", "feature", "readings"]),
        (suites.gold_rows_suite(covertype()), frames.gold_rows, ["row_id"]),
        (suites.gold_shares_suite(settings), frames.gold_shares, ["slice", "feature", "label"]),
        (suites.gold_totals_suite(settings, frames.rows), frames.gold_totals, ["gold_rows"]),
    ]
    return [
        finding
        for suite, frame, keys in pairs
        if suite and len(frame)
        for finding in validation.run(suite, frame, keys)
    ]


def _hold(objects: Objects, failures: list[Finding]) -> list[str]:
    """Holds back the landings that failed as a whole. Returns: them."""
    texts: dict[str, list[str]] = {}
    for finding in failures:
        for landing_id, text in finding.landings:
            texts.setdefault(landing_id, []).append(text)
    for landing_id, found in texts.items():
        hold(objects, landing_id, found)
        logger.warning("landing_held landing=%s %s", landing_id, "; ".join(found))
    return sorted(texts)


def _tell(record: AuditRecord, failures: list[Finding], alerts: AlertSettings) -> None:
    """Tells somebody of what was found. Raises: AuditFailed if something did not hold."""
    title = f"Canopy: the audit of snapshot {record.snapshot_id}"
    if failures:
        suites = ", ".join(sorted({finding.suite for finding in failures}))
        failed = AuditFailed(suites, list(record.failures), list(record.held))
        send(Alert(f"{title} failed", [str(failed), *record.warnings], is_failure=True), alerts)
        raise failed
    if record.warnings:
        count = len(record.warnings)
        send(Alert(f"{title} has {count} warnings", record.warnings, is_failure=False), alerts)
