"""lake.coverage as functions of dbt's DuckDB connection: a dbt-duckdb plugin that profiles.yml names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal, TypedDict

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection, list_type, struct_type
from duckdb.func import FunctionNullHandling

from lake.coverage import BatchSamples, coverage, resampled

ESTIMATE = struct_type(
    dict.fromkeys(("requests", "distinct_rows"), "BIGINT")
    | dict.fromkeys(("estimated_rows", "estimated_rows_low", "estimated_rows_high"), "BIGINT")
    | dict.fromkeys(("share", "share_low", "share_high"), "DOUBLE")
)
SAMPLES = struct_type({"batch": "INTEGER", "sizes": "BIGINT[]", "distinct_rows": "BIGINT"})


class BatchStruct(TypedDict):
    """What SQL gives for lake.coverage.BatchSamples."""

    batch: int
    sizes: list[int]
    distinct_rows: int


class Plugin(BasePlugin):
    """`coverage_of(sizes, distinct_rows)` and `resampled_by(batches, distinct_rows)` in SQL."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Configures what dbt-duckdb has, once, before it hands out cursors."""
        add_functions(conn)


def add_functions(connection: DuckDBPyConnection) -> None:
    """Lets a connection use both functions."""
    connection.create_function("coverage_of", _coverage_of, [list_type("BIGINT"), "BIGINT"], ESTIMATE)
    # By itself DuckDB takes a null that is returned for an error.
    connection.create_function(
        "resampled_by",
        _resampled_by,
        [list_type(SAMPLES), "BIGINT"],
        "VARCHAR",
        null_handling=FunctionNullHandling.SPECIAL,
    )


def _coverage_of(sizes: Sequence[int], distinct_rows: int) -> dict[str, float | None]:
    return asdict(coverage(sizes, distinct_rows))


def _resampled_by(batches: Sequence[BatchStruct], distinct_rows: int) -> Literal["group", "batch"] | None:
    samples = [BatchSamples(one["batch"], tuple(one["sizes"]), one["distinct_rows"]) for one in batches]
    return resampled(samples, distinct_rows)
