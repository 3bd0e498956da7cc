"""Proof that silver's distinct rows are those of its sightings, each where it was seen first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from contracts.covertype import covertype

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TWICE = """
select row_id from silver.observations group by row_id having count(*) > 1
"""

# A build that is under way may have added sightings before their distinct rows.
MISSING = """
select distinct sighting.row_id
from silver.sightings as sighting left join silver.observations as observation using (row_id)
where sighting.landing_id in (select landing_id from silver.landings)
    and sighting.landing_id not in (select unnest($skipped))
    and (
        observation.row_id is null
        or (sighting.fetched_at, sighting.landing_id, sighting.position)
            < (observation.first_seen_at, observation.first_landing_id, observation.first_position)
    )
"""

# What a build that is under way has added may be there before its sightings are.
UNSEEN = """
select observation.row_id
from silver.observations as observation left join silver.sightings as sighting
    on observation.row_id = sighting.row_id
    and observation.first_landing_id = sighting.landing_id
    and observation.first_position = sighting.position
where observation.first_landing_id in (select landing_id from silver.landings)
    and observation.first_landing_id not in (select unnest($skipped))
    and (
        sighting.row_id is null
        or observation.first_seen_at is distinct from sighting.fetched_at
        or {differs}
    )
"""

NEW_ROWS = """
select landing_id, new_rows, coalesce(found, 0) from silver.landings left join (
    select first_landing_id as landing_id, count(*) as found from silver.observations group by all
) using (landing_id)
where new_rows is distinct from coalesce(found, 0) and landing_id not in (select unnest($skipped))
order by landing_id
"""


def observation_faults(
    connection: DuckDBPyConnection, skipped: Sequence[str], *, is_finished: bool
) -> Iterator[str]:
    """Yields what is wrong with silver.observations, and with the counts of new rows that are taken from it.

    Args:
        connection: A reader of the lake.
        skipped: Ids of landings that are at fault already: their rows are left out.
        is_finished: Whether no build is under way; while one is, the counts of new rows lag behind.
    """
    differs = " or ".join(
        f"observation.{column.name} is distinct from sighting.{column.name}" for column in covertype().columns
    )
    checks = {
        "is there more than once": (TWICE, {}),
        "is missing, or was seen earlier than it says": (MISSING, {"skipped": skipped}),
        "is not as it was seen where it says": (UNSEEN.format(differs=differs), {"skipped": skipped}),
    }
    is_whole = True
    for problem, (query, values) in checks.items():
        if found := connection.execute(query, values).fetchall():
            is_whole = False
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            yield f"In silver.observations, the row {min(found)[0]} {problem}{more}"
    if is_whole and is_finished:
        for landing_id, said, counted in connection.execute(NEW_ROWS, {"skipped": skipped}).fetchall():
            yield f"silver.landings: new_rows of {landing_id} is {said}, and {counted} rows were new"
