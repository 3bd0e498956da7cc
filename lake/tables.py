"""What tables the lake has, and whether they can be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from contracts.errors import TablesDamaged


def has_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the lake has a table such as `silver.landings` at this connection's snapshot."""
    schema, _, table = name.partition(".")
    found = connection.execute(
        "select 1 from information_schema.tables "
        "where table_catalog = 'lake' and table_schema = ? and table_name = ?",
        [schema, table],
    )
    return found.fetchone() is not None


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
