"""The analysts' file: gold at the pointer, as one DuckDB file that any client opens.

DuckDB calls the file `gold`, so its tables are `gold.training_set` there as they are in the lake; a schema
of that name inside it would make the name ambiguous.
"""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

import duckdb

from contracts.errors import ObjectMissing
from lake.catalog import connect
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings

logger = logging.getLogger(__name__)

KEY = "published/gold.duckdb"
MOST_FREE = 0.5  # of a file's blocks; a file of more holes than rows is made anew

AS_OF = """
create or replace table analysts.as_of as
    select snapshot_id, snapshot_time as snapshot_at from lake.snapshots() where snapshot_id = {snapshot_id};
comment on table analysts.as_of is 'Which snapshot of the lake this file holds';
"""

SHAPES = """
select
    table_name,
    string_agg(concat_ws(' ', table_uuid, column_name, data_type), ', ' order by ordinal_position)
from ducklake_table_info('lake')
inner join information_schema.columns using (table_name)
where table_catalog = 'lake' and table_schema = 'gold'
group by table_name
"""

# Comments that the lake and the file do not have in common; a table's has no column.
COMMENTS = """
with comments as (
    select database_name, table_name, null as column_name, comment
    from duckdb_tables() where (database_name, schema_name) in (('lake', 'gold'), ('analysts', 'main'))
    union all
    select database_name, table_name, column_name, comment
    from duckdb_columns() where (database_name, schema_name) in (('lake', 'gold'), ('analysts', 'main'))
)
select table_name, wanted.column_name, wanted.comment
from (from comments where database_name = 'lake') as wanted
inner join (from comments where database_name = 'analysts') as found using (table_name)
where wanted.column_name is not distinct from found.column_name
    and wanted.comment is distinct from found.comment
"""


def write_analysts_file(settings: LakeSettings, snapshot_id: int) -> str:
    """Writes gold as of a snapshot into a new file and puts it in the place of the old one.

    The new file is made out of the last one: a table that has only grown since gets its new rows, any other
    is copied. Readers keep the file they have open; no lock is ever met. Comments of tables and columns
    come along, and the table `as_of` says which snapshot it is.

    Returns: The file's key in the store.
    """
    started, objects = time.monotonic(), open_objects(settings)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "grown.duckdb"
        if not _grow(settings, objects, snapshot_id, file):
            file = Path(folder) / "anew.duckdb"
            _fill(settings, snapshot_id, file)
        objects.put(KEY, file.read_bytes())
    logger.info("analysts_file snapshot=%d seconds=%.2f", snapshot_id, time.monotonic() - started)
    return KEY


def _grow(settings: LakeSettings, objects: Objects, snapshot_id: int, file: Path) -> bool:
    """Brings a copy of the last file to a snapshot; False if there is none, or one that cannot be."""
    try:
        file.write_bytes(objects.read(KEY))
        return _fill(settings, snapshot_id, file)
    except (ObjectMissing, duckdb.Error) as error:
        logger.info("analysts_file_anew reason=%r", str(error))
        return False


def _fill(settings: LakeSettings, snapshot_id: int, file: Path) -> bool:
    """Brings a file to a snapshot: from nothing, or from the earlier one that it holds.

    Returns: False if it holds anything else.
    """
    with connect(settings, snapshot_id=snapshot_id) as connection:
        connection.execute(f"attach '{file}' as analysts")
        tables, held = _tables(connection, "lake", "gold"), _tables(connection, "analysts", "main")
        grown: list[str] = []
        if held:
            since = _since(connection, snapshot_id)
            if since is None:
                return False
            grown = _append(settings, connection, since, snapshot_id)
        for table in tables:
            if table not in grown:
                connection.execute(f'create or replace table analysts."{table}" as from lake.gold."{table}"')
        for table in set(held) - set(tables) - {"as_of"}:
            connection.execute(f'drop table analysts."{table}"')
        for table, column, comment in connection.execute(COMMENTS).fetchall():
            connection.execute(_comment(table, column, comment))
        connection.execute(AS_OF.format(snapshot_id=int(snapshot_id)))
        connection.execute("detach analysts")
        return True


def _since(connection: duckdb.DuckDBPyConnection, snapshot_id: int) -> int | None:
    """The snapshot that a file holds; None if it is not an earlier one of this lake, or mostly holes."""
    held = connection.execute(
        "select snapshot_id from analysts.as_of inner join lake.snapshots() as known using (snapshot_id) "
        "where snapshot_at = snapshot_time and snapshot_id < ?",
        [snapshot_id],
    ).fetchone()
    blocks = connection.execute(
        "select free_blocks, total_blocks from pragma_database_size() where database_name = 'analysts'"
    ).fetchone()
    has_holes = blocks is not None and blocks[0] > MOST_FREE * blocks[1]
    return int(held[0]) if held and not has_holes else None


def _append(
    settings: LakeSettings, connection: duckdb.DuckDBPyConnection, since: int, snapshot_id: int
) -> list[str]:
    """Adds the rows that are new since a snapshot to each table that has lost none.

    Returns: The tables that are whole by it.
    """
    with connect(settings, snapshot_id=since) as before:
        same = _shapes(before) & _shapes(connection)
    return [table for table, _ in sorted(same) if _is_appended(connection, table, since, snapshot_id)]


def _is_appended(connection: duckdb.DuckDBPyConnection, table: str, since: int, snapshot_id: int) -> bool:
    changes = f"('lake', 'gold', '{table}', {since + 1}, {snapshot_id})"
    if connection.execute(f"from ducklake_table_deletions{changes} limit 1").fetchone():
        return False
    connection.execute(f'insert into analysts."{table}" by name from ducklake_table_insertions{changes}')
    there, here = (connection.table(f'{place}."{table}"').shape for place in ("lake.gold", "analysts"))
    return there == here


def _shapes(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Each table of gold, with what makes it the same one: its identity and its columns."""
    return set(connection.execute(SHAPES).fetchall())


def _tables(connection: duckdb.DuckDBPyConnection, catalog: str, schema: str) -> list[str]:
    rows = connection.execute(
        "select table_name from information_schema.tables "
        "where table_catalog = ? and table_schema = ? order by table_name",
        [catalog, schema],
    ).fetchall()
    return [name for (name,) in rows]


def _comment(table: str, column: str | None, comment: str | None) -> str:
    target = f'table analysts."{table}"' if column is None else f'column analysts."{table}"."{column}"'
    text = "null" if comment is None else "'" + comment.replace("'", "''") + "'"
    return f"comment on {target} is {text}"
