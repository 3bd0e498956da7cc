"""The same tables as the dbt project makes, by one DuckDB script that writes plain Parquet."""

from __future__ import annotations

from pathlib import Path

import duckdb

from contracts.covertype import Column, covertype
from lake.settings import LakeSettings

NAMES = [column.name for column in covertype().columns]
NUMBERS = [column.name for column in covertype().columns if column.kind == "integer"]
FEATURES = [column.name for column in covertype().features]


def refine_by_hand(lake: LakeSettings, folder: Path) -> None:
    """Reads all of bronze and writes silver and gold, with nothing around it.

    Args:
        lake: Where bronze is; the same memory and threads are used.
        folder: Where the Parquet files are written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"threads": lake.threads, "memory_limit": lake.memory_limit}) as connection:
        connection.execute("set timezone = 'UTC'")
        for name, query in _queries(f"{lake.root}/bronze/rows/**/*.parquet", folder).items():
            connection.execute(f"copy ({query}) to '{folder}/{name}.parquet' (format parquet)")


def _queries(files: str, folder: Path) -> dict[str, str]:
    values = ", ".join(f"{_typed(column)} as {column.name}" for column in covertype().columns)
    fits = " and ".join(f"{name} is not null" for name in NAMES)
    names, numbers = ", ".join(NAMES), ", ".join(NUMBERS)
    raw = ", ".join(f"{column.source_name}" for column in covertype().columns)
    reasons = ", ".join(
        f"case when {_typed(column)} is null then '{column.source_name}' end"
        for column in covertype().columns
    )
    header = "landing_id, position, source, group_number, batch_number, fetched_at"
    bronze = f"read_parquet('{files}', hive_partitioning = false, union_by_name = true)"
    sightings, observations = f"'{folder}/sightings.parquet'", f"'{folder}/observations.parquet'"
    side = f"('0x' || left(md5(concat_ws('|', 'canopy-1', {', '.join(FEATURES)})), 8))::bigint % 100"
    return {
        "sightings": f"select {header}, md5(concat_ws('|', {names})) as row_id, {names} "
        f"from (select {header}, {values} from {bronze}) where {fits}",
        "quarantine": f"select {header}, list_filter([{reasons}], lambda x: x is not null) as reasons, {raw} "
        f"from (select *, {values} from {bronze}) where not ({fits})",
        "batch_rows": f"select distinct source, group_number, batch_number, row_id from {sightings}",
        "observations": "select row_id, min((landing_id, position)) as first_place, "
        f"min(fetched_at) as first_seen_at, {', '.join(f'any_value({n}) as {n}' for n in NAMES)} "
        f"from {sightings} group by row_id",
        "landings": "select landing_id, any_value(source) as source, any_value(group_number) as group_no, "
        "any_value(batch_number) as batch_number, any_value(fetched_at) as fetched_at, "
        "count(*) as landed_rows, any_value(request_id) as request_id, any_value(sha256) as sha256, "
        f"any_value(url) as url, any_value(raw_key) as raw_key from {bronze} group by landing_id",
        "training_set": f"select row_id, case when {side} < 20 then 'test' else 'train' end as split, "
        f"{names}, first_place, first_seen_at from {observations}",
        "batch_profiles": "select landing_id, feature, count(*) as readings, min(reading) as minimum, "
        "quantile_cont(reading, [0.05, 0.25, 0.5, 0.75, 0.95]) as quantiles, max(reading) as maximum, "
        "avg(reading) as mean, stddev_samp(reading) as standard_deviation "
        f"from (unpivot (select landing_id, {numbers} from {sightings}) on {numbers} into name feature "
        "value reading) group by landing_id, feature",
        "cover_by_area_and_elevation": "select wilderness_area, elevation_m // 200 * 200 as low_m, "
        "cover_type, count(*) as observations, avg(slope_deg) as mean_slope_deg "
        f"from {observations} group by all",
    }


def _typed(column: Column) -> str:
    value = column.source_name
    if column.kind == "string":
        return f"case when {value} in ({', '.join(repr(name) for name in column.values)}) then {value} end"
    return (
        f"case when regexp_full_match({value}, '-?\\d+') and try_cast({value} as bigint) "
        f"between {column.minimum} and {column.maximum} then try_cast({value} as integer) end"
    )
