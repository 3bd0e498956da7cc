"""Rows to learn from: the real survey where it is there, else rows drawn from the contract."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import numpy as np

from contracts.covertype import covertype
from lake.catalog.connection import connect, current_snapshot
from lake.publish.pointer import Publication, publish
from lake.settings import LakeSettings

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data" / "covertype.parquet"
REAL = Path(os.environ.get("CANOPY_TEST_ROWS", BESIDE))


def survey(rows: int, seed: int = 7) -> dict[str, np.ndarray]:
    """The contract's 13 columns by name, with all seven classes."""
    return _real(rows, seed) if REAL.is_file() else _drawn(rows, seed)


def make_lake(folder: Path, columns: dict[str, np.ndarray]) -> LakeSettings:
    """A lake with these rows in gold, published."""
    lake = LakeSettings(
        uri=str(folder / "lake"), catalog=f"sqlite:{folder / 'catalog.sqlite'}", _env_file=None
    )
    publish_rows(lake, columns)
    return lake


def publish_rows(lake: LakeSettings, columns: dict[str, np.ndarray]) -> Publication:
    """Replaces gold by these rows and moves the pointer."""
    names = [column.name for column in covertype().columns]
    with connect(lake, write=True) as connection:
        connection.register("arrived", {name: columns[name] for name in names})
        for layer in ("silver", "gold"):
            connection.execute(f"create schema if not exists {layer}")
        connection.execute("create table if not exists silver.quarantine (landing_id varchar)")
        connection.execute(
            "create or replace table silver.landings as select 'landing' as landing_id, 'raw' as raw_key, "
            "0::bigint as accepted_rows, 0::bigint as quarantined_rows"
        )
        connection.execute(
            f"""
            create or replace table gold.training_set as
            with identified as (
                select *, sha256(concat_ws('|', {", ".join(names)})) as row_id from arrived
            )
            select row_id, if(row_id < '3333', 'test', 'train') as split, {", ".join(names)},
                   'landing' as first_landing_id, now() as first_seen_at
            from identified
            """
        )
        connection.execute(
            "create or replace table silver.observations as select row_id from gold.training_set"
        )
        # Each row landed once to three times.
        connection.execute(
            "create or replace table silver.sightings as select row_id from gold.training_set, "
            "range(3) times (turn) where turn <= ('0x' || row_id[:4])::int % 3"
        )
        snapshot_id = current_snapshot(connection)
    return publish(lake, snapshot_id, "passed")


def _real(rows: int, seed: int) -> dict[str, np.ndarray]:
    selected = ", ".join(
        f'"{column.source_name}"::{"integer" if column.kind == "integer" else "varchar"} as {column.name}'
        for column in covertype().columns
    )
    query = f"select {selected} from '{REAL}' using sample reservoir({rows} rows) repeatable ({seed})"
    return duckdb.sql(query).fetchnumpy()


def _drawn(rows: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    columns = {}
    for column in covertype().features:
        if column.kind == "integer":
            columns[column.name] = random.integers(column.minimum, column.maximum + 1, rows)
        else:
            columns[column.name] = random.choice(np.array(column.values, dtype=object), rows)
    zone = (columns["elevation_m"] - 1010) * 7 // 3392
    mistaken = random.random(rows) < 0.1
    columns["cover_type"] = np.where(mistaken, random.integers(0, 7, rows), zone)
    return columns
