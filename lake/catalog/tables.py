"""What tables the lake has, and whether they can be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from contracts.errors import TablesDamaged


def has_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Returns whether the lake has a table such as `silver.landings` at this connection's snapshot."""
    schema, _, table = name.partition(".")
    # Without parameters: to bind one, DuckDB imports pandas, which takes longer than the rest of a question.
    found = connection.execute(
        "select 1 from information_schema.tables where table_catalog = 'lake' "  # noqa: S608 - quoted
        f"and table_schema = {quoted(schema)} and table_name = {quoted(table)}"
    )
    return found.fetchone() is not None


def values_of(
    connection: duckdb.DuckDBPyConnection, table: str, column: str, where: str = "true"
) -> set[str]:
    """Returns the different values of a table's column; none where the lake has no such table."""
    if not has_table(connection, table):
        return set()
    query = f"select distinct {column} from {table} where {where}"  # noqa: S608 - no word from outside
    return {value for (value,) in connection.execute(query).fetchall()}


def quoted(text: str) -> str:
    """Returns a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def reading() -> Iterator[None]:
    """Tells a lake whose files are gone or damaged from one that does not answer.

    Raises: TablesDamaged.
    """
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.HTTPException, duckdb.InterruptException):
        raise  # building the tables anew would mend none of these
    except duckdb.Error as error:
        raise TablesDamaged(" ".join(str(error).split())) from error
