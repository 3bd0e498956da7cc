"""Lakes for tests: real ones in a folder, with responses landed the way the collector lands them."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from contracts.covertype import covertype
from lake.bronze.landings import Landing, Provenance, keep_raw, land_rows, read_raw
from lake.objects import open_objects
from lake.settings import LakeSettings

Row = list[str]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TABLES = (
    "silver.landings",
    "silver.sightings",
    "silver.observations",
    "silver.quarantine",
    "silver.batch_rows",
    "gold.training_set",
    "gold.collection_progress",
    "gold.batch_profiles",
    "gold.quality_history",
    "gold.live_scores",
    "gold.cover_by_area_and_elevation",
    "gold.cover_by_soil_zone",
    "gold.distances_by_cover_type",
    "gold.soil_types",
    "gold.predictions",
    "gold.served_predictions_by_hour",
    "gold.shadow_agreement",
)


def lake_in(folder: Path) -> LakeSettings:
    """A lake of its own in this folder."""
    return LakeSettings(uri=str(folder / "lake"), catalog=f"sqlite:{folder}/catalog.sqlite")


def survey_rows(survey: Path, count: int = 4_000) -> list[Row]:
    """The first rows of the survey, as the source writes them."""
    table = pq.read_table(survey).slice(0, count)
    columns = [table.column(column.source_name).to_pylist() for column in covertype().columns]
    return [list(row) for row in zip(*columns, strict=True)]


def sample(rows: list[Row], count: int, seed: int) -> list[Row]:
    """What the source does for one response: some rows of its slice, none twice."""
    return random.Random(seed).sample(rows, count)


def spoiled(row: Row, **values: str) -> Row:
    """A row with other values in some columns, named as the source names them."""
    names = [column.source_name for column in covertype().columns]
    return [values.get(name, value) for name, value in zip(names, row, strict=True)]


def land(
    lake: LakeSettings,
    rows: Sequence[Row],
    minute: int,
    batch: int = 1,
    group: int = 1,
    source: str = "simulator",
    adapter: str = "none",
) -> Landing:
    """Lands one response that was fetched so many minutes past noon."""
    objects = open_objects(lake)
    body = json.dumps({"group_number": group, "batch_number": batch, "data": rows}).encode()
    fetched_at = NOON + timedelta(minutes=minute)
    provenance = Provenance(source, group, fetched_at, f"r{minute}", "http://x", "1", adapter)
    raw = keep_raw(objects, body, provenance)
    return land_rows(objects, raw, batch, rows)


def accepted_in_raw(lake: LakeSettings) -> list[tuple[str, ...]]:
    """Every row of every raw response that fits the contract, read without DuckDB, dbt or Parquet."""
    objects = open_objects(lake)
    bodies = [json.loads(read_raw(objects, key)[0]) for key in objects.keys("bronze/raw")]
    return [canonical for body in bodies for row in body["data"] if (canonical := _canonical(row))]


def row_id(canonical: Sequence[str]) -> str:
    """The identity of a row, computed apart."""
    return hashlib.md5("|".join(canonical).encode()).hexdigest()


def side(features: Sequence[str]) -> str:
    """The side of the split, computed apart."""
    digest = hashlib.md5("|".join(["canopy-1", *features]).encode()).hexdigest()
    return "test" if int(digest[:8], 16) % 100 < 20 else "train"


def _canonical(row: Row) -> tuple[str, ...] | None:
    values = []
    for column, value in zip(covertype().columns, row, strict=True):
        if column.kind == "string":
            if value not in column.values:
                return None
            values.append(value)
            continue
        if not re.fullmatch(r"-?[0-9]+", value):
            return None
        number = int(value)
        if column.minimum is None or column.maximum is None or not column.minimum <= number <= column.maximum:
            return None
        values.append(str(number))
    return tuple(values)
