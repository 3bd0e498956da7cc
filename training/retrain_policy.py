"""When to train, and why: the reason is written down with the version that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clients.mlflow import Version
from contracts.model_artefact import Tag
from lake.catalog.connection import connect
from lake.catalog.tables import has_table
from lake.publish.pointer import Publication
from lake.settings import LakeSettings
from training.judge.scores import wilson_interval
from training.settings import TrainingSettings

if TYPE_CHECKING:
    import duckdb

DRIFT_LANDINGS = 3  # fewer that have drifted may be chance
FIRST, ASKED = "there was no model", "a person asked for it"

# Landings that the newest version has not learned from: what their features look like.
DRIFTED = """
select feature, median(psi) as psi
from gold.batch_profiles
where psi is not null and landing_id not in (
    select landing_id from silver.landings at (version => {snapshot})
)
group by feature
having count(*) >= {least}
order by psi desc
limit 1
"""

# How the champion has answered what it had not learned from, since it answers.
LIVE = """
select coalesce(sum(right_rows), 0)::bigint, coalesce(sum(scored_rows), 0)::bigint
from gold.live_scores
where model_version = {version}
"""


@dataclass(frozen=True)
class RetrainDecision:
    """The decision whether to train.

    Attributes:
        is_due: Whether there is a reason.
        reason: It, or what is awaited.
    """

    is_due: bool
    reason: str


def retrain_policy(
    newest: Version | None,
    champion: Version | None,
    publication: Publication,
    lake: LakeSettings,
    settings: TrainingSettings,
) -> RetrainDecision:
    """Looks for a reason to train on a publication.

    Args:
        newest: The version that was registered last.
        champion: The version that answers.
        publication: What could be learned from.
        lake: Where drift and live scores are read.
        settings: The thresholds.
    """
    if newest is None:
        return RetrainDecision(True, FIRST)
    known = int(newest.tags[Tag.TRAIN_ROWS]) + int(newest.tags[Tag.TEST_ROWS])
    new = publication.observations - known
    grown = f"{new} rows are new since version {newest.number} learned from {known}"
    if new >= settings.minimum_growth * known:
        return RetrainDecision(True, grown)
    with connect(lake, snapshot_id=publication.snapshot_id) as connection:
        reason = _drifted(connection, newest, settings) or _failing(connection, champion, settings)
    awaited = f"{grown}: {settings.minimum_growth:.0%} more are awaited"
    return RetrainDecision(True, reason) if reason else RetrainDecision(False, awaited)


def _drifted(
    connection: duckdb.DuckDBPyConnection, newest: Version, settings: TrainingSettings
) -> str | None:
    if not settings.drift_psi or not has_table(connection, "gold.batch_profiles"):
        return None
    query = DRIFTED.format(snapshot=int(newest.tags[Tag.SNAPSHOT_ID]), least=DRIFT_LANDINGS)
    found = connection.execute(query).fetchone()
    if found is None or found[1] < settings.drift_psi:
        return None
    return (
        f"{found[0]} has drifted since version {newest.number}: a median PSI of {found[1]:.2f} over the "
        f"landings since, {settings.drift_psi:g} is the limit"
    )


def _failing(
    connection: duckdb.DuckDBPyConnection, champion: Version | None, settings: TrainingSettings
) -> str | None:
    if champion is None or not has_table(connection, "gold.live_scores"):
        return None
    found: Any = connection.execute(LIVE.format(version=champion.number)).fetchone()
    right, rows = found
    accuracy = wilson_interval(int(right), int(rows))
    least = float(champion.tags.get("accuracy_low", 0))
    if accuracy is None or rows < settings.live_rows or accuracy.high >= least:
        return None
    return (
        f"version {champion.number} is right on {accuracy.value:.4f} "
        f"[{accuracy.low:.4f}, {accuracy.high:.4f}] of {rows} rows that came since: "
        f"less than the {least:.4f} that it promised"
    )
