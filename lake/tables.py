"""What tables the lake has."""

from __future__ import annotations

import duckdb


def has_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the lake has a table such as `silver.landings` at this connection's snapshot."""
    schema, _, table = name.partition(".")
    found = connection.execute(
        "select 1 from information_schema.tables "
        "where table_catalog = 'lake' and table_schema = ? and table_name = ?",
        [schema, table],
    )
    return found.fetchone() is not None
