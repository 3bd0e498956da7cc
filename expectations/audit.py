"""The gate in front of the published pointer."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.covertype import covertype
from contracts.errors import AuditFailed, NothingPublished
from expectations.frames import Frames, read_frames
from expectations.settings import AuditSettings
from lake.catalog import connect, current_snapshot
from lake.published import newest_publication
from lake.settings import LakeSettings
from lake.tables import has_table

if TYPE_CHECKING:
    from expectations.validation import Finding, Validation

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Audit:
    """A snapshot that may be published.

    Attributes:
        snapshot_id: The DuckLake snapshot that was looked at.
        passed: How many expectations held.
        expectations: How many there were.
        warnings: What did not hold and does not matter enough.
        seconds: How long it took, the loading of Great Expectations included.
        docs: The page to open, or None where no pages are written.
    """

    snapshot_id: int
    passed: int
    expectations: int
    warnings: tuple[str, ...]
    seconds: float
    docs: Path | None

    @property
    def summary(self) -> str:
        """One line for the publication."""
        return f"{self.passed} of {self.expectations} expectations held, {len(self.warnings)} warnings"


def audit(
    lake: LakeSettings | None = None,
    settings: AuditSettings | None = None,
    *,
    snapshot_id: int | None = None,
) -> Audit:
    """Looks at what was built, before anybody reads it.

    Args:
        lake: Where the lake is; read from the environment if not given.
        settings: The limits; read from the environment if not given.
        snapshot_id: The snapshot to look at; the newest if not given.

    Raises: AuditFailed, naming expectation, column, observed value and a few failing rows; NothingPublished
        if nothing has been built.
    """
    lake, settings = lake or LakeSettings(), settings or AuditSettings()
    started = time.monotonic()
    snapshot_id, frames = _read(lake, settings, snapshot_id)
    _quieten()
    from expectations.validation import Validation  # four seconds, so only when it is needed

    validation = Validation(settings.folder, f"snapshot-{snapshot_id:06d}")
    findings = _validate(validation, frames, settings)
    docs = validation.write_docs(settings.results_kept) if settings.has_docs else None
    failures = [finding for finding in findings if not finding.is_warning]
    if failures:
        raise AuditFailed(", ".join(sorted({f.suite for f in failures})), [f.text for f in failures])
    warnings = tuple(finding.text for finding in findings)
    for text in warnings:
        logger.warning("audit_warning snapshot=%d %s", snapshot_id, text)
    held, seconds = validation.expectations - len(findings), time.monotonic() - started
    logger.info("audited snapshot=%d held=%d seconds=%.1f", snapshot_id, held, seconds)
    return Audit(snapshot_id, held, validation.expectations, warnings, seconds, docs)


def _quieten() -> None:
    """Great Expectations reads both while it is loaded: it calls home, and logs 400 lines of no use."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.WARNING)


def _read(lake: LakeSettings, settings: AuditSettings, snapshot_id: int | None) -> tuple[int, Frames]:
    with connect(lake) as connection:
        publication = newest_publication(connection)
        snapshot_id = current_snapshot(connection) if snapshot_id is None else snapshot_id
    with connect(lake, snapshot_id=snapshot_id) as connection:
        if not has_table(connection, "gold.training_set"):
            raise NothingPublished(f"Snapshot {snapshot_id} has no gold to audit")
        published = publication.snapshot_id if publication else None
        return snapshot_id, read_frames(connection, covertype(), settings, published)


def _validate(validation: Validation, frames: Frames, settings: AuditSettings) -> list[Finding]:
    from expectations import suites

    return [
        *validation.run(suites.landings_suite(settings), frames.landings, "landing_id"),
        *validation.run(suites.gold_rows_suite(covertype()), frames.gold_rows, "row_id"),
        *validation.run(suites.gold_totals_suite(settings, frames.rows), frames.gold_totals, "gold_rows"),
    ]
