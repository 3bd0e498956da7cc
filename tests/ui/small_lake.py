"""A small real lake, published, with the gold tables that dbt declares."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from contracts.covertype import covertype
from lake.catalog import connect, current_snapshot
from lake.published import publish
from lake.settings import LakeSettings
from source.simulator.synthetic import generate

GOLD = Path(__file__).parents[2] / "dbt_project" / "models" / "gold" / "gold.yml"
ROWS = 2000
SILVER = """
create schema silver;
create table silver.landings as select range::varchar as landing_id from range({landings});
create table silver.observations as select range as row from range({observations});
create table silver.quarantine as select range as row from range({quarantined});
"""
# By batch: responses, rows, new, quarantined.
PROGRESS = [
    (3, 1200, 1010, 0),
    (3, 1200, 620, 4),
    (2, 800, 260, 0),
    (1, 400, 70, 0),
    (4, 1600, 32, 1),
    (1, 400, 8, 0),
]


def make_lake(folder: Path) -> LakeSettings:
    """Writes the lake below a folder and publishes it."""
    settings = LakeSettings(uri=str(folder / "lake"), catalog=f"sqlite:{folder}/catalog.sqlite")
    requests, _, new, quarantined = (sum(column) for column in zip(*PROGRESS, strict=True))
    with connect(settings, write=True) as connection:
        connection.execute(SILVER.format(landings=requests, observations=new, quarantined=quarantined))
        connection.execute("create schema gold")
        for table in ("collection_progress", "training_set"):
            connection.execute(f"create table gold.{table} ({', '.join(_declared_columns(table))})")
        _fill_progress(connection)
        _fill_training_set(connection)
        snapshot_id = current_snapshot(connection)
    publish(settings, snapshot_id, "12 of 12 expectations held")
    return settings


def _declared_columns(table: str) -> list[str]:
    models = yaml.safe_load(GOLD.read_text(encoding="utf-8"))["models"]
    columns = next(model["columns"] for model in models if model["name"] == table)
    return [f"{column['name']} {column['data_type']}" for column in columns]


def _fill_progress(connection: Any) -> None:
    start = datetime.now(UTC) - timedelta(minutes=5 * len(PROGRESS))
    for batch, (requests, rows, new, quarantined) in enumerate(PROGRESS, start=1):
        first = start + timedelta(minutes=5 * (batch - 1))
        last = first + timedelta(minutes=3)
        connection.execute(
            "insert into gold.collection_progress by name select 'covertype' as source, 5 as group_number, "
            "? as batch_number, ? as requests, ? as landed_rows, ? as accepted_rows, ? as quarantined_rows, "
            "? as new_rows, ? as first_fetched_at, ? as last_fetched_at",
            [batch, requests, rows, rows - quarantined, quarantined, new, first, last],
        )


def _fill_training_set(connection: Any) -> None:
    connection.register("surveyed", generate(ROWS, seed=7))
    typed = ", ".join(f'"{column.source_name}" as {column.name}' for column in covertype().columns)
    connection.execute(
        f"insert into gold.training_set by name select {typed}, md5(surveyed::varchar) as row_id, "
        "case when row_number() over () % 5 = 0 then 'test' else 'train' end as split, "
        "'20261122T000000' as first_landing_id, now() as first_seen_at from surveyed"
    )
