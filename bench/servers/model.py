"""The product's own model of a file of rows, without a lake: for measurements of serving."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from bench.splits import split
from lake.publish.pointer import Publication
from training.fit.challenger import fit
from training.fit.rows import TrainingSet
from training.settings import TrainingSettings


def write_model(rows: pa.Table, target: Path, *, seed: int | None = None) -> None:
    """Trains as `canopy train` does, and writes the artefact with its golden requests."""
    train, test = split(rows)
    settings = TrainingSettings(leak_meter=False, bootstrap_draws=100)
    if seed is not None:
        settings = settings.model_copy(update={"seed": seed})
    trained = fit(TrainingSet(_publication(), train, test, {}), settings)
    target.write_bytes(trained.artefact.serialized)


def _publication() -> Publication:
    return Publication(1, 7, datetime.now(UTC), landings=1, observations=1, quarantined=0, audit="none")
