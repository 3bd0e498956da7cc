"""Bronze to published gold: sweep what came, ask the champion, build with dbt, audit, move the pointer.

`refine` does all of it; the tasks of the DAG `refine` do the same steps, each as its role.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from contracts.errors import NothingLanded
from expectations.audit import audit
from expectations.settings import AuditSettings
from lake.bronze.landings import REFUSED, ROWS
from lake.catalog.connection import connect
from lake.catalog.writer import one_writer
from lake.objects import open_objects
from lake.publish.pointer import Publication, latest, publish
from lake.settings import LakeSettings
from pipeline.dbt import build
from pipeline.role import act_as
from pipeline.sweep import sweep
from training.judge.prequential import ask_champion

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refined:
    """What one refine did.

    Attributes:
        publication: Where the pointer stands now.
        landings: Responses that were built in.
        landed_rows: Rows in them.
        new_rows: Distinct rows of them that nothing before held.
        quarantined_rows: Rows of them that do not fit the contract.
        warnings: What the audit found and let pass.
        seconds: How long each step took.
    """

    publication: Publication
    landings: int
    landed_rows: int
    new_rows: int
    quarantined_rows: int
    warnings: tuple[str, ...]
    seconds: dict[str, float]


def refine(
    lake: LakeSettings | None = None,
    audit_settings: AuditSettings | None = None,
    *,
    state: Path | None = None,
    is_full_refresh: bool = False,
    is_requarantine: bool = False,
) -> Refined:
    """Builds what has landed, audits it and publishes it; the champion is asked about it before.

    Args:
        lake: Where the lake is; read from the environment if not given.
        audit_settings: The audit's limits; read from the environment if not given.
        state: Where dbt keeps its target and its logs; `.canopy/dbt` if not given.
        is_full_refresh: Whether to build all from bronze anew; it gives the same rows.
        is_requarantine: Whether to judge landings with quarantined rows again, by the contract as it is now.

    Raises: BuildFailed, AuditFailed: what was published stays published; NothingLanded; LakeBusy.
    """
    lake = lake or LakeSettings()
    seconds: dict[str, float] = {}
    with one_writer(lake):
        with _timed("look", seconds):
            sweep(lake, everything=is_full_refresh or is_requarantine)
            _require_landings(lake)
        with _timed("ask", seconds):
            ask_champion(lake=lake)
        with _timed("build", seconds):
            build(lake, state=state, is_full_refresh=is_full_refresh, is_requarantine=is_requarantine)
        with _timed("audit", seconds):
            audited = audit(lake, audit_settings)
        with _timed("publish", seconds):
            publication = publish(lake, audited.snapshot_id, audited.summary, seconds=seconds["build"])
    landings, landed, new, quarantined = _counts(lake, audited.snapshot_id)
    logger.info(
        "refined publication=%d landings=%d landed=%d new=%d quarantined=%d seconds=%.1f",
        *(publication.publication_id, landings, landed, new, quarantined, sum(seconds.values())),
    )
    return Refined(publication, landings, landed, new, quarantined, audited.warnings, seconds)


class Asked(TypedDict):
    """What the step `ask` hands on: what came of it, and when the build could begin, in UTC."""

    asked: str
    ended_at: str


class Audited(TypedDict):
    """What the step `audit` hands on: what may be published, what was found, and when it began, in UTC."""

    snapshot_id: int
    summary: str
    began_at: str


def sweep_step() -> list[str]:
    """Sets aside what the build could not read. Returns: the keys that are no longer there."""
    act_as("transform")
    return sweep(LakeSettings())


def ask_step() -> Asked:
    """Asks the champion about each landing that is about to be built in; without an answer nothing fails."""
    act_as("training")
    asked = ask_champion()
    said = asked.problem or f"{asked.rows} rows of {len(asked.landings)} landings"
    return Asked(asked=said, ended_at=_now())


def audit_step() -> Audited:
    """Audits what was built. Raises: AuditFailed: what was published stays published."""
    began_at = _now()
    audited = audit()
    return Audited(snapshot_id=audited.snapshot_id, summary=audited.summary, began_at=began_at)


def publish_step(audited: Audited, *, asked: Asked | None) -> int:
    """Publishes what was audited, and how long building it took. Returns: the publication's number."""
    began_at = datetime.fromisoformat(audited["began_at"])
    built = began_at - (datetime.fromisoformat(asked["ended_at"]) if asked else began_at)
    lake = LakeSettings()
    publication = publish(lake, audited["snapshot_id"], audited["summary"], seconds=built.total_seconds())
    return publication.publication_id


def _require_landings(lake: LakeSettings) -> None:
    """Raises: NothingLanded where no row has ever come, and so none can be built."""
    objects = open_objects(lake)
    if not objects.keys(ROWS) and latest(lake) is None:
        raise NothingLanded(len(objects.keys(REFUSED)))


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _counts(lake: LakeSettings, snapshot_id: int) -> tuple[int, int, int, int]:
    with connect(lake, snapshot_id=snapshot_id) as connection:
        row = connection.execute(
            "select count(*), sum(landed_rows)::bigint, sum(new_rows)::bigint, sum(quarantined_rows)::bigint "
            "from silver.landings where landing_id in (select landing_id from silver.pending_landings)"
        ).fetchone()
    landings, landed, new, quarantined = (int(value or 0) for value in row or (0, 0, 0, 0))
    return landings, landed, new, quarantined


@contextmanager
def _timed(step: str, seconds: dict[str, float]) -> Iterator[None]:
    started = time.monotonic()
    logger.info("step_started step=%s", step)
    yield
    seconds[step] = round(time.monotonic() - started, 2)
