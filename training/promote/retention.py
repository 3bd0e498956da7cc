"""Which models are kept: what answers, has answered, may answer again, is young, or is cited in gold."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clients.mlflow import Version
from contracts.errors import NothingPublished
from contracts.model_artefact import Decision, Tag
from lake.catalog.settled import settled_now
from lake.read.query import run_query
from lake.settings import LakeSettings
from training.fit.search import WINNER
from training.promote.registry import Registry
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from mlflow.entities import Run

logger = logging.getLogger(__name__)

# What a run of `canopy train` or `canopy search` bears; a trial of a search names its search.
MADE_BY_CANOPY = Tag.SNAPSHOT_ID
PARENT = "mlflow.parentRunId"

CITED = """
select try_cast(model_version as integer) from gold.live_scores
where model_name = '{name}' and fetched_at >= timestamptz '{since}'
union
select try_cast(unnest([model_version, shadow_version]) as integer) from gold.predictions
where model_name = '{name}' and predicted_at >= timestamptz '{since}'
"""


@dataclass(frozen=True)
class Retained:
    """What became of the versions and runs.

    Attributes:
        kept: Why each version stays, by its number.
        versions: Those that are gone, or would be.
        runs: Runs that are gone, or would be, with their files.
        is_dry: Whether nothing was changed.
    """

    kept: dict[int, str]
    versions: list[int]
    runs: list[str]
    is_dry: bool


def retain(
    settings: TrainingSettings, lake: LakeSettings, *, is_dry: bool = False, now: datetime | None = None
) -> Retained:
    """Removes versions that nothing needs any more, then runs that belong to none, with their files.

    Only what Canopy has made is looked at: the versions of its registered model, and runs of its experiment
    that bear its tags. A version's entry goes before its files: what is killed halfway is finished next time.

    Args:
        settings: How many are kept, and for how long.
        lake: Whose gold cites versions.
        is_dry: Say what would go, and change nothing.
        now: The time that ages are counted to; where None, this machine's, unless it has jumped.

    Raises: ServiceUnavailable; ClockDoubted; CatalogUnusable and the like if gold cannot be asked, and then
        nothing goes.
    """
    since = (now or settled_now(lake)) - timedelta(days=settings.keep_days)
    registry = Registry(settings)
    cited = cited_versions(lake, settings.model_name, since)
    versions = registry.all_versions()
    reasons = {item.number: why for item, why in _reasons(versions, cited, since, settings)}
    gone = [version for version, _ in versions if version.number not in reasons]
    if not is_dry:
        for version in gone:
            registry.forget(version)
    needed = {version.run_id for version, _ in versions} - {version.run_id for version in gone}
    runs = list(_unneeded_runs(registry, settings, needed, since))
    if not is_dry:
        for run in runs:
            registry.forget_run(run.info.run_id, run.info.experiment_id)
    logger.info("models_retained kept=%d versions=%d runs=%d", len(reasons), len(gone), len(runs))
    numbers = sorted(version.number for version in gone)
    return Retained(reasons, numbers, [run.info.run_id for run in runs], is_dry)


def cited_versions(lake: LakeSettings, model_name: str, since: datetime) -> set[int]:
    """Returns the versions that gold's live scores and predictions name since a time; none before a
    publication."""
    name = model_name.replace("'", "''")
    try:
        rows = run_query(CITED.format(name=name, since=since.isoformat()), lake=lake).rows
    except NothingPublished:
        return set()
    return {number for (number,) in rows if number is not None}


def _reasons(
    versions: Sequence[tuple[Version, tuple[str, ...]]],
    cited: set[int],
    since: datetime,
    settings: TrainingSettings,
) -> Iterator[tuple[Version, str]]:
    """Yields why versions stay, newest first; those for which nothing speaks are left out."""
    promoted = [item.number for item, _ in versions if item.tags.get(Tag.VERDICT) == Decision.PROMOTED]
    for place, (version, aliases) in enumerate(versions):
        reasons = {
            f"it is the {' and the '.join(aliases)}": bool(aliases),
            "a person is asked about it": version.tags.get(Tag.VERDICT) == Decision.AWAITING,
            f"it is one of the newest {settings.keep_versions}": place < settings.keep_versions,
            "it may be gone back to": version.number in promoted[: settings.keep_champions],
            f"it is younger than {settings.keep_days:g} days": version.created_at >= since,
            "gold cites it": version.number in cited,
        }
        if why := next((reason for reason, holds in reasons.items() if holds), None):
            yield version, why


def _unneeded_runs(
    registry: Registry, settings: TrainingSettings, needed: set[str], since: datetime
) -> Iterator[Run]:
    """Yields runs of Canopy's own that are old, and neither a version's nor the newest search's."""
    runs = {run.info.run_id: run for run in registry.runs(settings.experiment)}
    searches = [run for run in runs.values() if run.data.tags.get(WINNER)]
    newest = max(searches, key=lambda run: run.info.start_time, default=None)
    kept = needed | ({newest.info.run_id} if newest else set())
    for run in runs.values():
        above = run.data.tags.get(PARENT)
        parent = runs.get(above) if above else run
        is_ours = parent is not None and MADE_BY_CANOPY in parent.data.tags
        is_old = run.info.start_time < since.timestamp() * 1000
        if is_ours and is_old and not {run.info.run_id, above} & kept:
            yield run
