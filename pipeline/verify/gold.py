"""Proof that gold's rows are silver's: each table is derived once more, and compared both ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from contracts.covertype import Column, covertype
from contracts.dbt_macro import PROJECT
from contracts.errors import TablesDamaged
from lake.catalog.tables import has_table, quoted, reading

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OnTable = Callable[[str, int, int], None]
REPLAY = "Run `canopy lake replay`: it builds gold anew"

# Row for row and value for value, the side of the split included.
TRAINING_SET = """
with derived as (
    select
        row_id, {names}, first_landing_id, first_seen_at,
        if(
            ('0x' || left(md5(concat_ws('|', '{salt}', {features})), 8))::bigint % 100 < {percent},
            'test', 'train'
        ) as split
    from silver.observations
),
paired as (
    select
        coalesce(derived.row_id, gold.row_id) as what,
        case
            when gold.row_id is null then 'is missing'
            when derived.row_id is null then 'is not in silver.observations'
            {differs}
        end as problem
    from derived full join gold.training_set as gold on derived.row_id = gold.row_id
    union all
    select row_id, 'is there more than once' from gold.training_set group by row_id having count(*) > 1
)
select count(*), arg_min('the row ' || what || ' ' || problem, what) from paired where problem is not null
"""
# Of gold the columns that are derived.
DIFFERENCE = """
with derived as ({derived}),
gold as (select {columns} from gold.{table}),
differing as (
    (from gold except all from derived)
    union all
    (from derived except all from gold)
)
select count(*), min(differing::varchar) from differing
"""

AREAS = """
with counted as (
    select
        wilderness_area, (elevation_m // 200 * 200)::integer as elevation_from_m, cover_type,
        any_value(cover_type_name) as cover_type_name, count(*) as observations,
        avg(slope_deg) as mean_slope_deg, avg(horizontal_distance_to_hydrology_m) as mean_distance_to_water_m
    from silver.observations inner join gold.cover_types using (cover_type)
    group by wilderness_area, elevation_from_m, cover_type
)
select
    *, elevation_from_m + 200 as elevation_below_m,
    observations / sum(observations) over (partition by wilderness_area, elevation_from_m) as cover_share
from counted
"""
ZONES = """
with counted as (
    select
        climatic_zone, geologic_zone, soil_type, any_value(soil_type_name) as soil_type_name,
        cover_type, any_value(cover_type_name) as cover_type_name, count(*) as observations,
        avg(elevation_m) as mean_elevation_m
    from silver.observations
    inner join gold.soil_types using (soil_type) inner join gold.cover_types using (cover_type)
    group by climatic_zone, geologic_zone, soil_type, cover_type
)
select
    *, observations / sum(observations) over (partition by soil_type) as cover_share,
    sum(observations) over (partition by climatic_zone, geologic_zone, cover_type)
    / sum(observations) over (partition by climatic_zone, geologic_zone) as cover_share_in_zone
from counted
"""
DISTANCES = """
select
    cover_type, any_value(cover_type_name) as cover_type_name, '{name}' as destination,
    count(*) as observations, min({column}) as minimum_m, {quantiles}, max({column}) as maximum_m,
    avg({column}) as mean_m
from silver.observations inner join gold.cover_types using (cover_type) group by cover_type
"""
QUALITY = """
with kinds as (
    select landing_id, split_part(unnest(reasons), ':', 1) as kind from silver.quarantine
)
select
    landing_id, source, group_number, batch_number, fetched_at, landed_rows, accepted_rows, quarantined_rows,
    quarantined_rows / nullif(landed_rows, 0) as quarantine_share, {counts}
from silver.landings left join kinds using (landing_id) group by all
"""
# By these reasons values and rows are counted, each in a column of its own.
KINDS = {
    **{kind: f"{kind}_values" for kind in ("missing", "not_an_integer", "out_of_range", "not_allowed")},
    "held_back": "held_back_rows",
}
PROGRESS = """
with batches as (
    select
        source, group_number, batch_number,
        row_number() over (partition by source, group_number order by min(fetched_at), batch_number) as place,
        count(*) as requests, sum(landed_rows)::bigint as landed_rows,
        sum(accepted_rows)::bigint as accepted_rows, sum(quarantined_rows)::bigint as quarantined_rows,
        sum(new_rows)::bigint as new_rows, min(fetched_at) as first_fetched_at,
        max(fetched_at) as last_fetched_at,
        list(silver.landings.accepted_rows order by fetched_at, landing_id) as sizes
    from silver.landings group by source, group_number, batch_number
),
seen as (
    select source, group_number, row_id, place
    from silver.sightings inner join batches using (source, group_number, batch_number) group by all
),
in_batch as (select source, group_number, place, count(*) as rows_in_batch from seen group by all),
first_seen as (select source, group_number, row_id, min(place) as place from seen group by all),
first_in_batch as (select source, group_number, place, count(*) as rows_first from first_seen group by all),
cumulated as (
    select
        batches.*, coalesce(rows_in_batch, 0) as batch_distinct_rows,
        coalesce(sum(rows_first) over up_to, 0)::bigint as distinct_rows,
        sum(requests) over up_to::bigint as group_requests,
        sum(accepted_rows) over up_to::bigint as group_accepted_rows,
        flatten(list(sizes) over up_to) as sizes_up_to
    from batches
    left join in_batch using (source, group_number, place)
    left join first_in_batch using (source, group_number, place)
    window up_to as (partition by source, group_number order by place)
),
groups as (
    select
        source, group_number,
        resampled_by(
            list(
                {'batch': batch_number, 'sizes': sizes, 'distinct_rows': batch_distinct_rows} order by place
            ),
            max(distinct_rows)
        ) as resampled
    from cumulated group by source, group_number
),
estimated as (
    select
        *,
        if(
            resampled = 'batch', coverage_of(sizes, batch_distinct_rows),
            coverage_of(sizes_up_to, distinct_rows)
        ) as reach
    from cumulated inner join groups using (source, group_number)
)
select
    * exclude (place, sizes, sizes_up_to, reach), reach.estimated_rows, reach.estimated_rows_low,
    reach.estimated_rows_high, reach.share as coverage, reach.share_low as coverage_low,
    reach.share_high as coverage_high
from estimated
"""
PROFILE = """
select landing_id, any_value(fetched_at) as fetched_at, '{name}' as feature, count(*) as readings, {numbers}
from silver.sightings group by landing_id
"""
NUMBERS = """
min({name}) as minimum, {quantiles}, max({name}) as maximum, sum({name}) / count(*) as mean,
if(
    count(*) > 1,
    sqrt(
        (count(*) * sum({name}::bigint * {name}) - sum({name}) * sum({name})) / (count(*) * (count(*) - 1))
    ),
    null
) as standard_deviation
"""
HOURS = """
select date_trunc('hour', predicted_at) as hour_at, model_name, model_version,
    count(*) filter (where position = 0) as requests, count(*) as predicted_rows,
    count(*) filter (where len(flags) > 0) as flagged_rows,
    quantile_cont(latency_ms::double, 0.5) filter (where position = 0) as latency_p50_ms,
    quantile_cont(latency_ms::double, 0.99) filter (where position = 0) as latency_p99_ms
from gold.predictions group by all
"""
SHADOWS = """
select predicted_at::date as predicted_date, model_name, model_version, shadow_version,
    count(*) as asked_rows, count(*) filter (where shadow_predicted = predicted) as agreed_rows,
    agreed_rows / asked_rows as agreement, {low} as agreement_low, {high} as agreement_high
from gold.predictions where shadow_version is not null
group by predicted_date, model_name, model_version, shadow_version
"""
# Its rows are compared with the log; the names beside them are the contract's.
PREDICTED = """
select
    segment, sequence, answers.cover_type_name as predicted_name,
    shadows.cover_type_name as shadow_predicted_name
from gold.predictions
left join gold.cover_types as answers on predicted = answers.cover_type
left join gold.cover_types as shadows on shadow_predicted = shadows.cover_type
"""
# Wilson's interval at 95 %, letter for letter as dbt's macro has it.
Z = 1.959963984540054
WILSON = (
    f"greatest(0, least(1, (agreed_rows + {Z * Z / 2} + {{side}} * sqrt("
    f"agreed_rows * (asked_rows - agreed_rows) / asked_rows + {Z * Z / 4})) / (asked_rows + {Z * Z})))"
)
QUANTILES = {"05": 0.05, "25": 0.25, "50": 0.5, "75": 0.75, "95": 0.95}
PLACES = {
    "water": "horizontal_distance_to_hydrology_m",
    "road": "horizontal_distance_to_roadways_m",
    "fire point": "horizontal_distance_to_fire_points_m",
}
# Tables, and columns of others, that cannot be derived again from what is there: that they are what was
# written is proven by the digests of their files. What a landing was compared with may be gone by now.
BY_DIGEST_ONLY = (
    *(f"gold.batch_profiles.{column}" for column in ("psi", "ks_distance", "reference_snapshot_id")),
    *("gold.live_scores", "gold.reference_profiles"),
)


def gold_faults(
    connection: DuckDBPyConnection, on_table: OnTable = lambda *_: None
) -> Iterator[tuple[str, str | None]]:
    """Derives each table of gold and compares it with what readers see.

    Args:
        connection: A reader, pinned to the snapshot.
        on_table: Is told how far it is.

    Returns: Each table that was compared, and in one sentence what is wrong with it.
    """
    queries = _queries()
    _add_functions(connection)
    for number, (table, query) in enumerate(queries.items(), 1):
        yield f"gold.{table}", _fault(connection, table, query)
        on_table("Tables of gold", number, len(queries))


def _add_functions(connection: DuckDBPyConnection) -> None:
    from lake.dbt.functions import add_functions  # it brings dbt, which takes a second

    add_functions(connection)


def _fault(connection: DuckDBPyConnection, table: str, query: str) -> str | None:
    name = f"gold.{table}"
    if not has_table(connection, name):
        return None  # of a version that did not have it
    is_looked_at = table == "training_set"  # by a query of its own, which says what is wrong
    try:
        with reading():
            if not is_looked_at:
                columns = ", ".join(connection.sql(query).columns)
                query = DIFFERENCE.format(table=table, columns=columns, derived=query)
            count, first = connection.execute(query).fetchone() or (0, None)
    except TablesDamaged as damage:
        return f"{name} cannot be compared with silver. {damage}"
    if not count:
        return None
    more = f", and {count - 1} more rows are not as in silver" if count > 1 else ""
    what = first if is_looked_at else f"{first} is not as in silver"
    return f"In {name}, {what}{more}. {REPLAY}"


def _queries() -> dict[str, str]:
    """Returns what each table must hold, by gold's names of columns; of the training set, what is wrong."""
    contract = covertype()
    choices = {column.name: column for column in contract.columns if column.choices}
    counts = [f"count(*) filter (where kind = '{kind}') as {column}" for kind, column in KINDS.items()]
    distances = [
        DISTANCES.format(name=name, column=column, quantiles=_quantiles(column, "_m"))
        for name, column in PLACES.items()
    ]
    return {
        "training_set": _training_set(),
        "cover_types": _listed(choices["cover_type"]),
        "wilderness_areas": _listed(choices["wilderness_area"]),
        "soil_types": _listed(choices["soil_type"], "climatic_zone", "geologic_zone"),
        "cover_by_area_and_elevation": AREAS,
        "cover_by_soil_zone": ZONES,
        "distances_by_cover_type": " union all ".join(distances),
        "quality_history": QUALITY.format(counts=", ".join(counts)),
        "collection_progress": PROGRESS,
        "batch_profiles": " union all ".join(map(_profile, contract.columns)),
        "predictions": PREDICTED,
        "served_predictions_by_hour": HOURS,
        "shadow_agreement": SHADOWS.format(low=WILSON.format(side=-Z), high=WILSON.format(side=Z)),
    }


def _training_set() -> str:
    contract = covertype()
    variables = (PROJECT / "dbt_project.yml").read_text(encoding="utf-8")
    split = dict(re.findall(r"^ +(split_salt|test_percent): (\S+)$", variables, re.MULTILINE))
    names = [column.name for column in contract.columns]
    compared = [*names, "split", "first_landing_id", "first_seen_at"]
    return TRAINING_SET.format(
        names=", ".join(names),
        features=", ".join(column.name for column in contract.features),
        salt=split["split_salt"],
        percent=split["test_percent"],
        differs="\n".join(
            f"when gold.{name} is distinct from derived.{name} then 'has another {name}'" for name in compared
        ),
    )


def _listed(column: Column, *properties: str) -> str:
    """Returns the values of an enumeration as rows: value, label, and some of what else is said of it."""
    named = (column.name, f"{column.name}_name", *properties)
    rows = [
        (choice.value, choice.label, *(choice.properties[name] for name in properties))
        for choice in column.choices
    ]
    columns = [
        [f"{quoted(str(text))} as {name}" for text, name in zip(row, named, strict=True)] for row in rows
    ]
    return " union all ".join(f"select {', '.join(row)}" for row in columns)


def _profile(column: Column) -> str:
    name = column.name
    numbers = ", ".join(["null"] * (len(QUANTILES) + 4))
    if column.kind == "integer":
        numbers = NUMBERS.format(name=name, quantiles=_quantiles(name))
    return PROFILE.format(name=name, numbers=numbers)


def _quantiles(column: str, unit: str = "") -> str:
    names = {name: f"quantile_cont({column}, {share})" for name, share in QUANTILES.items()}
    return ", ".join(f"{value} as quantile_{name}{unit}" for name, value in names.items())
