"""The analysts' file: gold at the pointer, as one DuckDB file that any client opens.

DuckDB calls the file `gold`, so its tables are `gold.training_set` there as they are in the lake; a schema
of that name inside it would make the name ambiguous.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb

from lake.catalog import connect
from lake.objects import open_objects
from lake.settings import LakeSettings

KEY = "published/gold.duckdb"


def write_analysts_file(settings: LakeSettings, snapshot_id: int) -> str:
    """Writes gold as of a snapshot into a new file and puts it in the place of the old one.

    Readers keep the file they have open; no lock is ever met. Comments of tables and columns come along.

    Returns: The file's key in the store.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gold.duckdb"
        with connect(settings, snapshot_id=snapshot_id) as connection:
            connection.execute(f"attach '{file}' as analysts")
            for table in _tables(connection):
                connection.execute(f'create table analysts."{table}" as from lake.gold."{table}"')
            for statement in _comments(connection):
                connection.execute(statement)
            connection.execute("detach analysts")
        open_objects(settings).put(KEY, file.read_bytes())
    return KEY


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "select table_name from information_schema.tables "
        "where table_catalog = 'lake' and table_schema = 'gold' order by table_name"
    ).fetchall()
    return [name for (name,) in rows]


def _comments(connection: duckdb.DuckDBPyConnection) -> list[str]:
    tables = connection.execute(
        "select table_name, comment from duckdb_tables() "
        "where database_name = 'lake' and schema_name = 'gold' and comment is not null"
    ).fetchall()
    columns = connection.execute(
        "select table_name, column_name, comment from duckdb_columns() "
        "where database_name = 'lake' and schema_name = 'gold' and comment is not null"
    ).fetchall()
    statements = [f'comment on table analysts."{t}" is {_quoted(c)}' for t, c in tables]
    return statements + [f'comment on column analysts."{t}"."{n}" is {_quoted(c)}' for t, n, c in columns]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
