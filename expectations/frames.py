"""What an audit looks at, taken from a snapshot by DuckDB so that Great Expectations sees little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.covertype import Contract
from expectations.settings import AuditSettings

if TYPE_CHECKING:
    import duckdb

Frame = Any  # a pandas frame: pandas ships no types

PUBLISHED_LANDINGS = """
create or replace temp table published_landings as select landing_id from silver.landings {version}
"""

LANDINGS = """
with known as (
    select
        *,
        landing_id not in (select landing_id from published_landings) as is_new,
        row_number() over (order by fetched_at desc, landing_id desc) as age_rank
    from silver.landings
)
select
    landing_id, source, group_number, fetched_at::varchar as fetched_at, landed_rows, quarantined_rows,
    case when landed_rows > 0 then quarantined_rows / landed_rows else 0 end as quarantine_share,
    landed_rows / (select greatest(median(landed_rows), 1) from known) as volume_ratio,
    epoch(now() - fetched_at) as age_s
from known
-- Where nothing is new, the newest landing is looked at again.
where is_new or (age_rank = 1 and not exists (from known where is_new))
order by fetched_at
"""

GOLD_ROWS = """
select row_id, split, {columns} from gold.training_set
where first_landing_id not in (select landing_id from published_landings)
order by first_seen_at desc limit {rows}
"""

GOLD_TOTALS = """
with sides as (
    select count(distinct split) as sides, count(*) as n from gold.training_set group by {features}
),
classes as (select cover_type, count(*) as n from gold.training_set group by cover_type)
select
    count(*) as gold_rows,
    count(*) - count(distinct row_id) as repeated_row_ids,
    (select coalesce(sum(n), 0)::bigint from sides where sides > 1) as rows_leaking,
    coalesce(avg((split = 'test')::int), 0) as test_share,
    (select count(*) from classes) as classes,
    coalesce((select max(n) from classes) / count(*), 0) as largest_class_share
from gold.training_set
"""


@dataclass(frozen=True)
class Frames:
    """What is validated.

    Attributes:
        landings: One row for each landing that is not published yet.
        gold_rows: The rows of gold.training_set that are not published yet.
        gold_totals: One row of figures of gold as a whole.
    """

    landings: Frame
    gold_rows: Frame
    gold_totals: Frame

    @property
    def rows(self) -> int:
        """How many rows gold has."""
        return int(self.gold_totals["gold_rows"].iloc[0])


def read_frames(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    settings: AuditSettings,
    published_snapshot_id: int | None,
) -> Frames:
    """Reads a pinned lake; what was audited for the last publication is not looked at row by row again."""
    version = "where false" if published_snapshot_id is None else f"at (version => {published_snapshot_id})"
    connection.execute(PUBLISHED_LANDINGS.format(version=version))
    columns = ", ".join(column.name for column in contract.columns)
    features = ", ".join(column.name for column in contract.features)
    return Frames(
        landings=connection.execute(LANDINGS).df(),
        gold_rows=connection.execute(GOLD_ROWS.format(columns=columns, rows=settings.rows)).df(),
        gold_totals=connection.execute(GOLD_TOTALS.format(features=features)).df(),
    )
