"""The analysts' file: gold at the pointer, as one DuckDB file that any client opens.

DuckDB calls the file `gold`, so its tables are `gold.training_set` there as they are in the lake; a schema
of that name inside it would make the name ambiguous.
"""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from contracts.errors import ObjectMissing, ObjectUnreadable
from contracts.rights import group_number, share
from lake.catalog.connection import connect
from lake.catalog.tables import quoted
from lake.objects import Objects, open_objects
from lake.publish.digests import digest_of, forget_replaced, record_object, recorded_object, require_whole
from lake.settings import LakeSettings

logger = logging.getLogger(__name__)

KEY = "published/gold.duckdb"
WORKING = ".analysts-"
MADE = re.compile(rf"{re.escape(WORKING)}[a-z0-9_]{{8}}")  # as `tempfile` names a folder
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


def write_analysts_file(
    settings: LakeSettings, snapshot_id: int, last: Collection[tuple[int, str]] | None = None
) -> str:
    """Writes gold as of a snapshot into a new file and puts it in the place of the old one.

    The new file is made out of the last one: a table that has only grown since gets its new rows, any other
    is copied. Readers keep the file they have open; no lock is ever met. Comments of tables and columns
    come along, and the table `as_of` says which snapshot it is. Each file of gold that is read for it is
    compared with what was recorded when it was written, and so is the last file itself.

    Args:
        settings: Where the lake is.
        snapshot_id: The snapshot.
        last: What the last file may be, as `digests.recorded_object` says; looked up if not given.

    Returns: The file's key in the store.
    Raises: FilesChanged: the file stays the one of before.
    """
    if last is None:
        with connect(settings) as connection:
            last = recorded_object(connection, KEY)
    started, objects = time.monotonic(), open_objects(settings)
    with _working_folder(settings) as folder:
        file = folder / "grown.duckdb"
        if not _grow(settings, objects, snapshot_id, file, last):
            file = folder / "anew.duckdb"
            _fill(settings, snapshot_id, file)
        size, sha256 = digest_of(file)
        # Not before: a second SQLite in one process must not be at the catalog at the same time.
        with connect(settings, write=True) as connection:
            record_object(connection, KEY, size, sha256)
            objects.put_file(KEY, file)
            forget_replaced(connection, KEY, sha256)
    share_analysts_file(settings)
    logger.info("analysts_file snapshot=%d seconds=%.2f", snapshot_id, time.monotonic() - started)
    return KEY


def shared_paths(settings: LakeSettings) -> list[Path]:
    """Returns what a group has a right to: the way to the analysts' file, and that."""
    file = Path(settings.root) / KEY
    return [Path(settings.root), file.parent, file]


def share_analysts_file(settings: LakeSettings) -> None:
    """Lets the group that the settings name read the file; nothing else of a lake in a folder.

    Raises: SettingsInvalid if there is no such group, or this user is not in it.
    """
    if settings.group and not settings.is_s3:
        group = group_number(settings.group)
        for path, mode in zip(shared_paths(settings), (0o710, 0o2750, 0o640), strict=True):
            share(path, group, mode)


@contextmanager
def _working_folder(settings: LakeSettings) -> Iterator[Path]:
    """Yields a folder for the new file: beside a catalog that is a file, else where temporary files are."""
    beside = Path(settings.catalog_target).parent if settings.catalog_kind == "sqlite" else None
    for left in beside.glob(f"{WORKING}*") if beside else ():  # by a publication that was killed
        if left.is_dir() and MADE.fullmatch(left.name):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=WORKING, dir=beside) as folder:
        yield Path(folder)


def _grow(
    settings: LakeSettings, objects: Objects, snapshot_id: int, file: Path, last: Collection[tuple[int, str]]
) -> bool:
    """Brings a copy of the last file to a snapshot; False if there is none, or one that cannot be."""
    try:
        objects.fetch(KEY, file, most=max((size for size, _ in last), default=0))
        if digest_of(file) not in last:
            logger.warning("analysts_file_changed key=%s reason='it is not the file that was written'", KEY)
            return False
        return _fill(settings, snapshot_id, file)
    except (ObjectMissing, ObjectUnreadable, duckdb.Error) as error:
        logger.info("analysts_file_anew reason=%r", str(error))
        return False


def _fill(settings: LakeSettings, snapshot_id: int, file: Path) -> bool:
    """Brings a file to a snapshot: from nothing, or from the earlier one that it holds.

    Returns: False if it holds anything else.
    Raises: FilesChanged.
    """
    with connect(settings, snapshot_id=snapshot_id) as connection:
        connection.execute(f"attach {quoted(str(file))} as analysts")
        tables, held = _tables(connection, "lake", "gold"), _tables(connection, "analysts", "main")
        grown: list[str] = []
        if held:
            since = _since(connection, snapshot_id)
            if since is None:
                return False
            require_whole(settings, connection, snapshot_id, ["gold.*"], since=since)
            grown = _append(settings, connection, since, snapshot_id)
        copied = [table for table in tables if table not in grown]
        require_whole(settings, connection, snapshot_id, [f"gold.{table}" for table in copied])
        for table in copied:
            connection.execute(f'create or replace table analysts."{table}" as from lake.gold."{table}"')
        for table in set(held) - set(tables) - {"as_of"}:
            connection.execute(f'drop table analysts."{table}"')
        for table, column, comment in connection.execute(COMMENTS).fetchall():
            connection.execute(_comment(table, column, comment))
        connection.execute(AS_OF.format(snapshot_id=int(snapshot_id)))
        connection.execute("detach analysts")
        return True


def _since(connection: duckdb.DuckDBPyConnection, snapshot_id: int) -> int | None:
    """Returns the snapshot that a file holds; None if it is not an earlier one of this lake, or mostly
    holes."""
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
    """Returns each table of gold, with what makes it the same one: its identity and its columns."""
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
    return f"comment on {target} is {'null' if comment is None else quoted(comment)}"
