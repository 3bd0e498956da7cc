"""A lake of 2,000 landings, refined fifty at a time: forty files a table, as dbt leaves them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from lake.catalog.connection import connect, current_snapshot
from lake.publish.pointer import publish
from lake.settings import LakeSettings
from tests.ui.small_lake import declare

BUILDS, LANDINGS_EACH = 40, 50
LANDINGS = BUILDS * LANDINGS_EACH
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
# One row of the first kind a landing; profiles have one for each of 13 columns, the training set 20.
LANDED = """
create or replace temp table landed as
select
    strftime(timestamptz '2026-01-01 00:00:00+00' + range * interval 1 minute, '%Y%m%dT%H%M%S000000Z') || '-'
    || md5(range::varchar) as landing_id,
    timestamptz '2026-01-01 00:00:00+00' + range * interval 1 minute as fetched_at,
    'covertype' as source, 1 as group_number, 1 as batch_number
from range({first}, {first} + {count})
"""
FILL = (
    "insert into silver.landings by name select *, 'raw' as raw_key from landed",
    "insert into silver.quarantine by name select *, 0 as position, ['missing:Slope'] as reasons from landed",
    "insert into gold.quality_history by name select *, 10 as landed_rows, 1 as quarantined_rows from landed",
    "insert into gold.live_scores by name select *, 'landing' as asked_by, 1 as model_version, "
    "9 as scored_rows, 8 as right_rows, 0.9 as accuracy, 0.8 as accuracy_low, 1.0 as accuracy_high, "
    "0.9 as macro_f1 from landed",
    "insert into gold.batch_profiles by name select landing_id, fetched_at, 'feature ' || range as feature, "
    "0.1 as psi, 1 as minimum, 9 as maximum from landed, range(13)",
    "insert into gold.training_set by name select md5(landing_id || range) as row_id, "
    "if(range % 5 = 0, 'test', 'train') as split, 2500 + range as elevation_m, range % 7 as cover_type "
    "from landed, range(20)",
)


def make_long_lake(folder: Path) -> LakeSettings:
    """Writes the lake below a folder and publishes it."""
    settings = LakeSettings(uri=str(folder / "lake"), catalog=f"sqlite:{folder}/catalog.sqlite")
    with connect(settings, write=True) as connection:
        declare(connection, observations=100)
        connection.execute(
            "insert into gold.collection_progress by name select 'covertype' as source, 1 as group_number, "
            "1 as batch_number, 2000 as requests, 20000 as landed_rows, 100 as new_rows, "
            "2000 as quarantined_rows, ? as last_fetched_at",
            [BEGAN + timedelta(minutes=LANDINGS)],
        )
        for build in range(BUILDS):
            connection.execute(LANDED.format(first=build * LANDINGS_EACH, count=LANDINGS_EACH))
            for statement in FILL:
                connection.execute(statement)
        snapshot_id = current_snapshot(connection)
    publish(settings, snapshot_id, "held")
    return settings
