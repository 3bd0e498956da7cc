"""Whatever value of gold is changed, its digest with it: it is found, or is not said to be proven."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from lake.bronze.predictions import put
from lake.catalog.connection import connect, current_snapshot
from lake.objects import open_objects
from lake.publish.digests import record_digests
from lake.publish.pointer import publish
from lake.settings import LakeSettings
from pipeline.dbt import build
from pipeline.verify.gold import BY_DIGEST_ONLY, _fault, _queries, gold_faults
from pipeline.verify.lake import verify
from tests.lake.landed import NOON, lake_in, land, spoiled, survey_rows
from tests.lake.predicted import predictions

pytestmark = pytest.mark.long  # it builds twice, and looks at each of 150 values

COLUMNS = """
select table_name, column_name, data_type from duckdb_columns()
where database_name = 'lake' and schema_name = 'gold' order by table_name, column_index
"""
# Another value of each type, also for nothing.
OTHERS = {
    "VARCHAR": "coalesce({}, '') || 'x'",
    "TIMESTAMP WITH TIME ZONE": "coalesce({} + interval 1 day, now())",
    "DATE": "{} + 1",
    "BOOLEAN": "not {}",
}
NUMBER, LIST = "coalesce({}, 0) + 1", "list_append({}, null)"
# The log's own values are compared with bronze, by another part of the proof.
LOGGED = "gold.predictions"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, survey: Path) -> LakeSettings:
    """Two publications with quarantined rows, and predictions that a shadow was asked about too."""
    folder = tmp_path_factory.mktemp("proven")
    lake, rows = lake_in(folder), survey_rows(survey, 400)
    segment = "20261122T120000000000Z-0123456789abcdef"
    logged = predictions(segment, rows[:20], NOON, shadow_version=2, shadow_predicted=1)
    put(open_objects(lake), segment, logged)
    for number in range(2):
        dirty = spoiled(rows[number], Slope="110")
        land(lake, [*rows[150 * number :][:200], dirty], number)
        build(lake, state=folder / "dbt")
        publish_newest(lake)
    return lake


def publish_newest(lake: LakeSettings) -> None:
    with connect(lake, write=True) as connection:
        record_digests(lake, connection)
        snapshot = current_snapshot(connection)
    publish(lake, snapshot, "held")


def other(column: str, kind: str) -> str:
    return (LIST if kind.endswith("[]") else OTHERS.get(kind, NUMBER)).format(column)


def change(connection: duckdb.DuckDBPyConnection, table: str, column: str, kind: str) -> None:
    first = f"rowid = (select min(rowid) from gold.{table})"
    connection.execute(f"update gold.{table} set {column} = {other(column, kind)} where {first}")


def test_each_value_of_gold_that_is_changed_is_found_or_is_not_said_to_be_proven(lake: LakeSettings) -> None:
    unseen, tried, queries = [], set(), _queries()
    with connect(lake, write=True) as connection:
        assert [text for _, text in gold_faults(connection) if text] == []
        for table, column, kind in connection.execute(COLUMNS).fetchall():
            connection.execute("begin")
            change(connection, table, column, kind)
            place = f"gold.{table}"
            is_found = table in queries and _fault(connection, table, queries[table]) is not None
            connection.execute("rollback")
            tried.add(place)
            by_digest = {place, f"{place}.{column}"} & {*BY_DIGEST_ONLY}
            is_logged = place == LOGGED and not column.endswith("predicted_name")
            if not (is_found or by_digest or is_logged):
                unseen.append(f"{place}.{column}")
            assert not (is_found and by_digest), f"{place}.{column} is proven, and said not to be"
    assert unseen == []
    assert len(tried) == 15


def test_a_changed_value_with_its_digest_takes_the_table_from_what_is_proven(lake: LakeSettings) -> None:
    whole = verify(lake)
    assert whole.faults == ()
    assert len(whole.published.rows_proven) == len({*whole.published.rows_proven})
    assert not {*whole.published.rows_proven} & {*whole.published.by_digest_only}
    changed = (("batch_profiles", "mean", "DOUBLE"), ("predictions", "predicted_name", "VARCHAR"))
    with connect(lake, write=True) as connection:
        for table, column, kind in changed:
            change(connection, table, column, kind)
    publish_newest(lake)
    found = verify(lake)
    for table, _, _ in changed:
        assert any(fault.startswith(f"In gold.{table}, ") for fault in found.faults)
        assert f"gold.{table}" not in found.published.rows_proven
    assert len(found.faults) == len(changed)
