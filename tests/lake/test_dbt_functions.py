"""SQL gets the same answers from lake.coverage as Python, whichever cursor asks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import duckdb
import pytest

from lake.coverage import BatchSamples, coverage, resampled
from lake.dbt.functions import Plugin


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        Plugin("functions", {}).configure_connection(connection)
        yield connection


@pytest.mark.parametrize(
    ("sizes", "distinct"), [([500, 400], 850), ([5, 5], 10), ([7], 7), ([0], 0), ([], 0)]
)
def test_a_coverage_in_sql_is_that_of_python(
    connection: duckdb.DuckDBPyConnection, sizes: list[int], distinct: int
) -> None:
    query = "select unnest(coverage_of(?::bigint[], ?))"
    found = connection.execute(query, [sizes, distinct])
    assert [name for name, *_ in found.description or ()] == list(asdict(coverage(sizes, distinct)))
    assert found.fetchall() == [tuple(asdict(coverage(sizes, distinct)).values())]


def test_what_is_resampled_is_told_in_sql_as_in_python(connection: duckdb.DuckDBPyConnection) -> None:
    query = (
        "select resampled_by([{batch: 1, sizes: [500, 500], distinct_rows: 750}, "
        "{batch: 2, sizes: [500, 500], distinct_rows: 750}], d) from unnest([800, 1_500, 1_425]) as t(d)"
    )
    samples = [BatchSamples(batch, (500, 500), 750) for batch in (1, 2)]
    expected = [(resampled(samples, distinct),) for distinct in (800, 1_500, 1_425)]
    assert connection.execute(query).fetchall() == expected
    assert expected[:2] == [("group",), ("batch",)]
    assert connection.execute("select resampled_by([], 0)").fetchone() == (None,)


def test_every_thread_of_dbt_may_ask_at_once(connection: duckdb.DuckDBPyConnection) -> None:
    query = "select sum(coverage_of([500, 400 + n], 850).estimated_rows) from range(200) as t(n)"
    expected = pytest.approx(sum(coverage([500, 400 + n], 850).estimated_rows or 0 for n in range(200)))

    def ask(cursor: duckdb.DuckDBPyConnection) -> float:
        row = cursor.execute(query).fetchone()
        assert row is not None
        return float(row[0])

    cursors = [connection.cursor() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, cursors)) == [expected] * 4
