"""When to train: there must be enough to learn that the newest model has not seen."""

from __future__ import annotations

from lake.published import Publication
from training.registry import Version
from training.settings import TrainingSettings


def too_little_new(newest: Version, publication: Publication, settings: TrainingSettings) -> str | None:
    """Why there is nothing to train for yet, or None if there is."""
    known = int(newest.tags["train_rows"]) + int(newest.tags["test_rows"])
    new = publication.observations - known
    if new >= settings.minimum_growth * known:
        return None
    return (
        f"{new} rows are new since version {newest.number} learned from {known}: "
        f"{settings.minimum_growth:.0%} more are awaited"
    )
