"""Proof that silver holds each landed row of bronze once, with its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from contracts.covertype import covertype
from contracts.errors import NothingPublished
from lake.catalog import connect
from lake.objects import open_objects
from lake.settings import LakeSettings
from lake.tables import has_table

# Half a million rows at once: some seconds, and some hundred megabytes.
LANDINGS_AT_ONCE = 100
REPLAY = "Run `canopy lake replay`: it builds silver anew"

UNKNOWN = """
select landing_id from silver.landings
union
select landing_id from silver.sightings
union
select landing_id from silver.quarantine
"""

# Sightings hold typed values and quarantine those of the source: both as text, beside those of bronze.
APART = """
with bronze as (
    select landing_id, position, {source_names}
    from read_parquet(?, union_by_name = true, hive_partitioning = false)
),
silver as (
    select landing_id, position, false as is_quarantined, {sighted}
    from silver.sightings where list_contains(?, landing_id)
    union all
    select landing_id, position, true, {quarantined}
    from silver.quarantine where list_contains(?, landing_id)
),
once as (
    select *, count(*) over (partition by landing_id, position) as times from silver
),
rows as (
    select
        coalesce(bronze.landing_id, once.landing_id) as landing_id,
        bronze.landing_id is null as is_surplus,
        once.landing_id is null as is_missing,
        coalesce(once.times > 1, false) as is_double,
        coalesce(once.is_quarantined, false) as is_quarantined,
        bronze.landing_id is not null and once.landing_id is not null and not ({same})
            as is_changed,
    from bronze full join once using (landing_id, position)
),
counted as (
    select
        landing_id,
        count(*) filter (not is_surplus) as landed,
        count(*) filter (not is_missing and not is_quarantined) as accepted,
        count(*) filter (is_quarantined) as quarantined,
        count(*) filter (is_missing) as missing,
        count(*) filter (is_surplus) as surplus,
        count(*) filter (is_double) as doubled,
        count(*) filter (is_changed) as changed,
    from rows group by landing_id
)
select
    landing_id, missing, surplus, doubled, changed,
    (landed, accepted, quarantined) is distinct from (landed_rows, accepted_rows, quarantined_rows),
from counted left join silver.landings using (landing_id)
where missing + surplus + doubled + changed > 0
    or (landed, accepted, quarantined) is distinct from (landed_rows, accepted_rows, quarantined_rows)
order by landing_id
"""
WRONG = (
    "missing from silver",
    "in silver and not in bronze",
    "in silver more than once",
    "with other values",
)


@dataclass(frozen=True)
class Silver:
    """What silver holds of bronze.

    Attributes:
        not_refined: Landings that it does not know yet.
        faults: One sentence for each landing that is not what bronze says, with what to do.
    """

    not_refined: int = 0
    faults: tuple[str, ...] = ()


def verify_silver(lake: LakeSettings, rows_keys: Sequence[str]) -> Silver:
    """Compares silver at the newest snapshot with bronze, row by row.

    Args:
        lake: Where the lake is.
        rows_keys: The row files of bronze.
    """
    files = {key.rpartition("/")[2].removesuffix(".parquet"): key for key in rows_keys}
    try:
        with connect(lake) as connection:
            if not has_table(connection, "silver.landings"):
                return Silver(not_refined=len(files))
            return _compared(connection, lake, files)
    except NothingPublished:
        return Silver(not_refined=len(files))


def _compared(connection: duckdb.DuckDBPyConnection, lake: LakeSettings, files: dict[str, str]) -> Silver:
    objects = open_objects(lake)
    finished = {row[0] for row in connection.execute("select landing_id from silver.landings").fetchall()}
    known = {row[0] for row in connection.execute(UNKNOWN).fetchall()}
    faults = [
        f"Silver knows the landing {one}, and bronze has no rows of it. {REPLAY}"
        for one in sorted(known - files.keys())
    ]
    query = _query()
    both = sorted(finished & files.keys())
    for first in range(0, len(both), LANDINGS_AT_ONCE):
        some = both[first : first + LANDINGS_AT_ONCE]
        urls = [objects.url(files[one]) for one in some]
        apart = connection.execute(query, [urls, some, some]).fetchall()
        faults += [_sentence(files[one], wrong, is_miscounted) for one, *wrong, is_miscounted in apart]
    return Silver(len(files.keys() - finished), tuple(faults))


def _sentence(key: str, wrong: Sequence[int], is_miscounted: bool) -> str:
    found = [f"{rows} rows {what}" for rows, what in zip(wrong, WRONG, strict=True) if rows]
    found += ["other counts in silver.landings"] if is_miscounted else []
    return f"{key} is not what silver holds: {', '.join(found)}. {REPLAY}"


def _query() -> str:
    columns = covertype().columns
    same = [
        f'if(once.is_quarantined, bronze."{column.source_name}", {_typed(column.source_name, column.kind)}) '
        f'is not distinct from once."{column.source_name}"'
        for column in columns
    ]
    return APART.format(
        source_names=", ".join(f'"{column.source_name}"' for column in columns),
        sighted=", ".join(f'{column.name}::varchar as "{column.source_name}"' for column in columns),
        quarantined=", ".join(f'source_values."{column.source_name}"' for column in columns),
        same=" and ".join(same),
    )


def _typed(source_name: str, kind: str) -> str:
    value = f'bronze."{source_name}"'
    return f"try_cast({value} as bigint)::varchar" if kind == "integer" else value
