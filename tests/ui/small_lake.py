"""A small real lake, published, with the gold tables that dbt declares and a raw response each landing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from contracts.covertype import covertype
from lake.bronze.landings import Provenance, Raw, keep_raw
from lake.catalog.connection import connect, current_snapshot
from lake.objects import open_objects
from lake.publish.audits import AuditRecord, record_audit
from lake.publish.pointer import publish
from lake.settings import LakeSettings
from source.simulator.synthetic import generate

GOLD = Path(__file__).parents[2] / "dbt_project" / "models" / "gold"
ROWS = 2000
ROWS_OF_RESPONSE = 400
LIVE_ACCURACY = 0.75
SILVER = """
create schema silver;
create table silver.observations as select range as row from range({observations});
create table silver.landings (
    landing_id varchar, source varchar, group_number integer, batch_number integer, fetched_at timestamptz,
    landed_rows bigint, accepted_rows bigint, quarantined_rows bigint, new_rows bigint, request_id varchar,
    sha256 varchar, url varchar, raw_key varchar, is_held boolean
);
create table silver.quarantine (
    landing_id varchar, position integer, source varchar, group_number integer, batch_number integer,
    fetched_at timestamptz, reasons varchar[], source_values struct({values})
);
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
REASONS = [["missing:Slope"], ["out_of_range:Slope", "not_allowed:Soil_Type"], ["missing:Aspect"]]
FAILURE = (
    "expect_column_values_to_be_between quarantine_share 1 of 3 rows do not fit such as landing_id={landing} "
    "(allowed 0 to 0.1)"
)


def make_lake(folder: Path) -> LakeSettings:
    """Writes the lake below a folder and publishes it."""
    settings = LakeSettings(uri=str(folder / "lake"), catalog=f"sqlite:{folder}/catalog.sqlite")
    landed = list(_landed(settings))
    with connect(settings, write=True) as connection:
        declare(connection, observations=sum(new for *_, new, _ in PROGRESS))
        _fill_progress(connection)
        _fill_training_set(connection)
        for place, (raw, batch, new, quarantined) in enumerate(landed):
            _fill_landing(connection, place, raw, batch, new, quarantined)
        snapshot_id = current_snapshot(connection)
    _audit(settings, snapshot_id, landed[4][0].landing_id)
    publish(settings, snapshot_id, "12 of 12 expectations held")
    return settings


def declare(connection: Any, *, observations: int) -> None:
    """Makes the tables that the UI reads, gold's as dbt declares them."""
    values = ", ".join(f'"{column.source_name}" varchar' for column in covertype().columns)
    connection.execute(SILVER.format(observations=observations, values=values))
    connection.execute("create schema gold")
    for table in DECLARED:
        connection.execute(f"create table gold.{table} ({', '.join(_declared_columns(table))})")


DECLARED = ("collection_progress", "training_set", "batch_profiles", "quality_history", "live_scores")


def _landed(settings: LakeSettings) -> Iterator[tuple[Raw, int, int, int]]:
    """A raw response for each request, with its batch, new and quarantined rows."""
    objects, began = open_objects(settings), datetime.now(UTC) - timedelta(minutes=5 * len(PROGRESS))
    for batch, (requests, _, new, quarantined) in enumerate(PROGRESS, start=1):
        for request in range(requests):
            at = began + timedelta(minutes=5 * (batch - 1), seconds=30 * request)
            provenance = Provenance(
                "covertype",
                5,
                at,
                f"{batch:02d}{request:030d}",
                "http://127.0.0.1:8010/data?group_number=5",
                "test",
            )
            rows = [[str(batch * 1000 + row)] * 13 for row in range(ROWS_OF_RESPONSE)]
            body = json.dumps({"group_number": 5, "batch_number": batch, "data": rows}).encode()
            raw = keep_raw(objects, body, provenance)
            is_first = request == 0
            yield raw, batch, new if is_first else 0, quarantined if is_first else 0


def _fill_landing(connection: Any, place: int, raw: Raw, batch: int, new: int, quarantined: int) -> None:
    kept, accepted = raw.provenance, ROWS_OF_RESPONSE - quarantined
    common = [raw.landing_id, kept.source, kept.group, batch, kept.fetched_at]
    connection.execute(
        "insert into silver.landings values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, false)",
        [
            *common,
            ROWS_OF_RESPONSE,
            accepted,
            quarantined,
            new,
            kept.request_id,
            raw.sha256,
            kept.url,
            raw.key,
        ],
    )
    connection.execute(
        "insert into gold.quality_history values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, 0)",
        [*common, ROWS_OF_RESPONSE, accepted, quarantined, quarantined / ROWS_OF_RESPONSE, quarantined, 1],
    )
    for position in range(quarantined):
        values = {column.source_name: "110" for column in covertype().columns}
        connection.execute(
            "insert into silver.quarantine values (?, ?, ?, ?, ?, ?, ?, ?)",
            [raw.landing_id, position, *common[1:], REASONS[position % len(REASONS)], values],
        )
    for column in covertype().columns:
        figures = [1800 + place, 1900.0, 2200.0, 2500.0 + place, 2800.0, 3100.0, 3400, 2500.0, 200.0]
        connection.execute(
            f"insert into gold.batch_profiles values ({', '.join('?' * 16)})",
            [
                *(raw.landing_id, kept.fetched_at, column.name, accepted),
                *([None] * 9 if column.choices and not column.is_label else figures),
                *((0.31 if column.name == "slope_deg" else 0.01 * place), 0.02, 3),
            ],
        )
    if place:  # there was no champion yet when the first one came
        right = round(LIVE_ACCURACY * 100)
        connection.execute(
            "insert into gold.live_scores values "
            "(?, ?, ?, ?, ?, 'landing', 'canopy-covertype', ?, 3, 100, ?, ?, ?, ?, 0.6, 7)",
            [
                *common,
                1 if place < 8 else 2,
                right,
                LIVE_ACCURACY,
                LIVE_ACCURACY - 0.08,
                LIVE_ACCURACY + 0.07,
            ],
        )


def _audit(settings: LakeSettings, snapshot_id: int, landing_id: str) -> None:
    """Three audits: one passed, one failed and held a landing back, one passed with a warning."""
    now = datetime.now(UTC)
    failure = FAILURE.format(landing=landing_id)
    said: list[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = [
        ((), (), ()),
        ((failure,), (), (landing_id,)),
        ((), ("drift slope_deg psi 0.31 (allowed any to 0.2)",), ()),
    ]
    for place, (failures, warnings, held) in enumerate(said):
        at = now - timedelta(minutes=20 - 6 * place)
        record_audit(
            settings,
            AuditRecord(snapshot_id, at, 1.9, not failures, 12, failures, warnings, (landing_id,), held),
        )


def _declared_columns(table: str) -> list[str]:
    models = [
        model
        for name in ("gold", "quality", "live")
        for model in yaml.safe_load((GOLD / f"{name}.yml").read_text(encoding="utf-8"))["models"]
    ]
    columns = next(model["columns"] for model in models if model["name"] == table)
    return [f"{column['name']} {column['data_type']}" for column in columns]


def _fill_progress(connection: Any) -> None:
    start = datetime.now(UTC) - timedelta(minutes=5 * len(PROGRESS))
    for batch, (requests, rows, new, quarantined) in enumerate(PROGRESS, start=1):
        first = start + timedelta(minutes=5 * (batch - 1))
        last = first + timedelta(minutes=3)
        seen = sum(item[2] for item in PROGRESS[:batch])
        connection.execute(
            "insert into gold.collection_progress by name select 'covertype' as source, 5 as group_number, "
            "'group' as resampled, ? as group_requests, ? as distinct_rows, 2400 as estimated_rows, "
            "2300 as estimated_rows_low, 2510 as estimated_rows_high, ? as coverage, ? as coverage_low, "
            "? as coverage_high, "
            "? as batch_number, ? as requests, ? as landed_rows, ? as accepted_rows, ? as quarantined_rows, "
            "? as new_rows, ? as first_fetched_at, ? as last_fetched_at",
            [
                *(sum(item[0] for item in PROGRESS[:batch]), seen, seen / 2400, seen / 2510, seen / 2300),
                *(batch, requests, rows, rows - quarantined, quarantined, new, first, last),
            ],
        )


def _fill_training_set(connection: Any) -> None:
    connection.register("surveyed", generate(ROWS, seed=7))
    typed = ", ".join(f'"{column.source_name}" as {column.name}' for column in covertype().columns)
    connection.execute(
        f"insert into gold.training_set by name select {typed}, md5(surveyed::varchar) as row_id, "
        "case when row_number() over () % 5 = 0 then 'test' else 'train' end as split, "
        "'20261122T000000' as first_landing_id, now() as first_seen_at from surveyed"
    )
