"""The same tables as the dbt project makes, by one DuckDB script that writes plain Parquet.

There is no catalog, no snapshot, no test, and nothing that is published to compare a landing with.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from contracts.covertype import Column, covertype
from lake.dbt.functions import add_functions
from lake.settings import LakeSettings

COLUMNS = covertype().columns
NAMES = [column.name for column in COLUMNS]
NUMBERS = [column.name for column in COLUMNS if column.kind == "integer"]
FEATURES = [column.name for column in covertype().features]
HEADER = "landing_id, position, source, group_number, batch_number, fetched_at"
OF_A_RESPONSE = (
    *("source", "group_number", "batch_number", "fetched_at", "request_id", "sha256", "url"),
    *("client_version", "raw_key", "adapter"),
)
SHARES = {"05": 0.05, "25": 0.25, "50": 0.5, "75": 0.75, "95": 0.95}
DISTANCES = {
    "water": "horizontal_distance_to_hydrology_m",
    "road": "horizontal_distance_to_roadways_m",
    "fire point": "horizontal_distance_to_fire_points_m",
}


def refine_by_hand(lake: LakeSettings, folder: Path) -> None:
    """Reads all of bronze and writes silver and gold, with nothing around it.

    Args:
        lake: Where bronze is; the same memory and threads are used.
        folder: Where the Parquet files are written, one for each table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"threads": lake.threads, "memory_limit": lake.memory_limit}) as connection:
        connection.execute("set timezone = 'UTC'")
        add_functions(connection)
        files = f"'{lake.root}/bronze/rows/**/*.parquet', hive_partitioning = false, union_by_name = true"
        connection.execute(f"create view bronze as from read_parquet({files})")
        for name, query in (_dimensions() | _silver() | _gold()).items():
            connection.execute(f"copy ({query}) to '{folder}/{name}.parquet' (format parquet)")
            connection.execute(f"create view {name} as from '{folder}/{name}.parquet'")


def _dimensions() -> dict[str, str]:
    tables = {}
    for column in COLUMNS:
        if column.choices:
            properties = list(column.choices[0].properties)
            rows = ", ".join(
                str((choice.value, choice.label, *(choice.properties[name] for name in properties)))
                for choice in column.choices
            )
            names = ", ".join((column.name, f"{column.name}_name", *properties))
            kind = "integer" if column.kind == "integer" else "varchar"
            tables[f"{column.name}s"] = f"""
                select * replace ({column.name}::{kind} as {column.name}) from (values {rows}) as t ({names})
            """
    return tables


def _silver() -> dict[str, str]:
    names = ", ".join(NAMES)
    typed = ", ".join(f"{_typed(column)} as {column.name}" for column in COLUMNS)
    is_fit = " and ".join(f"{name} is not null" for name in NAMES)
    # DuckDB does not tell `Hillshade_9am` of the source from `hillshade_9am` of the contract.
    typed_beside = ", ".join(f"{_typed(column)} as typed_{column.name}" for column in COLUMNS)
    is_fit_beside = " and ".join(f"typed_{name} is not null" for name in NAMES)
    return {
        "sightings": f"""
            select {HEADER}, md5(concat_ws('|', {names})) as row_id, {names}
            from (select {HEADER}, {typed} from bronze) where {is_fit}
        """,
        "quarantine": f"""
            select {HEADER},
                list_filter([{", ".join(_reason(column) for column in COLUMNS)}], lambda x: x is not null)
                    as reasons,
                struct_pack({", ".join(f"{c.source_name} := {c.source_name}" for c in COLUMNS)})
                    as source_values,
            from (select *, {typed_beside} from bronze) where not ({is_fit_beside})
        """,
        "batch_rows": "select distinct source, group_number, batch_number, row_id from sightings",
        "observations": f"""
            select row_id, place.id as first_landing_id, place.at as first_position, first_seen_at, {names}
            from (
                select row_id, min(struct_pack(id := landing_id, at := position)) as place,
                    min(fetched_at) as first_seen_at, {_any_value(NAMES)},
                from sightings group by row_id
            )
        """,
        "landings": f"""
            select landing_id, {", ".join(OF_A_RESPONSE)}, landed_rows,
                landed_rows - coalesce(refused, 0) as accepted_rows,
                coalesce(refused, 0) as quarantined_rows, coalesce(seen_first, 0) as new_rows,
            from (
                select landing_id, {_any_value(OF_A_RESPONSE)}, count(*) as landed_rows,
                from bronze group by landing_id
            )
            left join (select landing_id, count(*) as refused from quarantine group by all)
                using (landing_id)
            left join (select first_landing_id as landing_id, count(*) as seen_first
                from observations group by all) using (landing_id)
        """,
    }


def _gold() -> dict[str, str]:
    side = f"('0x' || left(md5(concat_ws('|', 'canopy-1', {', '.join(FEATURES)})), 8))::bigint % 100"
    return {
        "training_set": f"""
            select row_id, case when {side} < 20 then 'test' else 'train' end as split, {", ".join(NAMES)},
                first_landing_id, first_seen_at,
            from observations
        """,
        "batch_profiles": _profiles(),
        "cover_by_area_and_elevation": """
            select *, observations / sum(observations) over (
                partition by wilderness_area, elevation_from_m) as cover_share,
            from (
                select wilderness_area, (elevation_m // 200 * 200)::integer as elevation_from_m,
                    (elevation_m // 200 * 200 + 200)::integer as elevation_below_m, cover_type,
                    cover_type_name, count(*) as observations, avg(slope_deg) as mean_slope_deg,
                    avg(horizontal_distance_to_hydrology_m) as mean_distance_to_water_m,
                from training_set join cover_types using (cover_type) group by all
            )
        """,
        "cover_by_soil_zone": """
            select *, observations / sum(observations) over (partition by soil_type) as cover_share,
                sum(observations) over (partition by climatic_zone, geologic_zone, cover_type)
                / sum(observations) over (partition by climatic_zone, geologic_zone) as cover_share_in_zone,
            from (
                select climatic_zone, geologic_zone, soil_type, soil_type_name, cover_type, cover_type_name,
                    count(*) as observations, avg(elevation_m) as mean_elevation_m,
                from training_set join soil_types using (soil_type) join cover_types using (cover_type)
                group by all
            )
        """,
        "distances_by_cover_type": " union all ".join(
            f"""
            select cover_type, cover_type_name, '{destination}' as destination, count(*) as observations,
                min({name}) as minimum_m, {_quantiles(name, "_m")}, max({name}) as maximum_m,
                avg({name}) as mean_m,
            from training_set join cover_types using (cover_type) group by cover_type, cover_type_name
            """
            for destination, name in DISTANCES.items()
        ),
        "quality_history": """
            select landing_id, source, group_number, batch_number, fetched_at, landed_rows, accepted_rows,
                quarantined_rows, quarantined_rows / landed_rows as quarantine_share,
                coalesce(kinds['missing'], 0) as missing_values,
                coalesce(kinds['not_an_integer'], 0) as not_an_integer_values,
                coalesce(kinds['out_of_range'], 0) as out_of_range_values,
                coalesce(kinds['not_allowed'], 0) as not_allowed_values,
            from landings
            left join (
                select landing_id, histogram(split_part(reason, ':', 1)) as kinds,
                from (select landing_id, unnest(reasons) as reason from quarantine) group by all
            ) using (landing_id)
        """,
        "collection_progress": _progress(),
    }


def _profiles() -> str:
    """Returns profiles of numbers by DuckDB's own aggregates; of names there is nothing to say without a
    reference."""
    numbers = " union all ".join(
        f"""
        select landing_id, fetched_at, '{name}' as feature, count(*) as readings, min({name}) as minimum,
            {_quantiles(name)}, max({name}) as maximum, avg({name}) as mean,
            stddev_samp({name}) as standard_deviation,
        from sightings group by landing_id, fetched_at
        """
        for name in NUMBERS
    )
    return numbers + "".join(
        f"""
        union all by name select landing_id, fetched_at, '{name}' as feature, count(*) as readings,
        from sightings group by landing_id, fetched_at
        """
        for name in NAMES
        if name not in NUMBERS
    )


def _progress() -> str:
    return """
        with batches as (
            select source, group_number, batch_number, count(*) as requests,
                sum(landed_rows)::bigint as landed_rows, sum(accepted_rows)::bigint as accepted_rows,
                sum(quarantined_rows)::bigint as quarantined_rows, sum(new_rows)::bigint as new_rows,
                min(fetched_at) as first_fetched_at, max(fetched_at) as last_fetched_at,
                list(accepted_rows order by fetched_at, landing_id) as sizes,
            from landings group by all
        ), firsts as (
            select source, group_number, row_id, arg_min(batch_number, first_fetched_at) as batch_number,
            from batch_rows join batches using (source, group_number, batch_number) group by all
        ), cumulated as (
            select batches.*, coalesce(batch_distinct_rows, 0) as batch_distinct_rows,
                sum(coalesce(rows_seen_first, 0)) over up_to::bigint as distinct_rows,
                sum(requests) over up_to::bigint as group_requests,
                sum(accepted_rows) over up_to::bigint as group_accepted_rows,
                flatten(list(sizes) over up_to) as group_sizes,
            from batches
            left join (select source, group_number, batch_number, count(*) as batch_distinct_rows
                from batch_rows group by all) using (source, group_number, batch_number)
            left join (select source, group_number, batch_number, count(*) as rows_seen_first
                from firsts group by all) using (source, group_number, batch_number)
            window up_to as (partition by source, group_number order by first_fetched_at)
        ), groups as (
            select source, group_number, resampled_by(list(struct_pack(batch := batch_number,
                sizes := sizes, distinct_rows := batch_distinct_rows) order by first_fetched_at),
                max(distinct_rows)) as resampled,
            from cumulated group by all
        )
        select * exclude (sizes, group_sizes, in_reach), in_reach.*
        from (
            select cumulated.*, resampled, case when resampled = 'batch'
                then coverage_of(sizes, batch_distinct_rows)
                else coverage_of(group_sizes, cumulated.distinct_rows) end as in_reach,
            from cumulated join groups using (source, group_number)
        )
    """


def _any_value(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f"any_value({name}) as {name}" for name in names)


def _quantiles(name: str, suffix: str = "") -> str:
    found = f"quantile_cont({name}, {list(SHARES.values())})"
    return ", ".join(f"{found}[{at}] as quantile_{share}{suffix}" for at, share in enumerate(SHARES, start=1))


def _typed(column: Column) -> str:
    value = column.source_name
    if column.kind == "string":
        return f"case when {value} in ({', '.join(repr(name) for name in column.values)}) then {value} end"
    return f"""
        case when regexp_full_match({value}, '-?\\d+') and try_cast({value} as bigint)
            between {column.minimum} and {column.maximum} then try_cast({value} as integer) end
    """


def _reason(column: Column) -> str:
    name = column.source_name
    if column.kind == "string":
        kind = f"'not_allowed:{name}'"
    else:
        is_integer = f"regexp_full_match({name}, '-?\\d+')"
        kind = f"if({is_integer}, 'out_of_range:{name}', 'not_an_integer:{name}')"
    return f"""
        case when trim(coalesce({name}, '')) = '' then 'missing:{name}'
            when typed_{column.name} is null then {kind} end
    """
