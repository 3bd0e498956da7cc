"""A reader's own copy of a SQLite catalog.

DuckDB reads each table of a SQLite catalog in a connection of its own, and only the rows that were there when
it looked for the last one: a commit in between, such as a second delete in one file or a compaction, makes a
reader miss the rows that it replaces, also at a snapshot that it does not change. A copy does not change.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
import weakref
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from contracts.errors import CatalogUnusable, NothingPublished
from contracts.plain_files import has_other_names, is_something_else
from lake.catalog import sqlite_backup
from lake.catalog.writer import may_open

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lake.settings import LakeSettings

FOLDER = "catalog-copies"  # beside the catalog; no backup takes it along
BESIDE = ("-wal", "-shm", "-journal")
# Who made it, and what `tempfile` put behind that.
COPY = re.compile(r"(canopy-catalog-)?(?P<owner>\d+)-[a-z0-9_]{8}\.sqlite(-wal|-shm|-journal)?", re.ASCII)
AT_SNAPSHOT = "begin_snapshot <= :at and (end_snapshot is null or end_snapshot > :at)"
OWN_TABLE = "select 1 from sqlite_master where name = 'ducklake_metadata'"
# What a snapshot does not read: other files, with what is known of them, and what came after it.
OTHER_FILES = "where data_file_id not in (select data_file_id from ducklake_data_file)"
PRUNE = (
    f"delete from ducklake_data_file where not ({AT_SNAPSHOT})",  # noqa: S608
    f"delete from ducklake_delete_file where not ({AT_SNAPSHOT})",  # noqa: S608
    f"delete from ducklake_file_column_stats {OTHER_FILES}",  # noqa: S608
    f"delete from ducklake_file_variant_stats {OTHER_FILES}",  # noqa: S608
    f"delete from ducklake_file_partition_value {OTHER_FILES}",  # noqa: S608
    "delete from ducklake_files_scheduled_for_deletion",
    "delete from ducklake_snapshot where snapshot_id > :at",
    "delete from ducklake_snapshot_changes where snapshot_id > :at",
)
# Every file of a snapshot below the lake's tables; a path may be relative at each of its steps.
FILES = f"""
select
    case when not f.path_is_relative then f.path
        when not t.path_is_relative then t.path || f.path
        when not s.path_is_relative then s.path || t.path || f.path
        else (select value from ducklake_metadata where "key" = 'data_path') || s.path || t.path || f.path
    end
from (
    select table_id, path, path_is_relative from ducklake_data_file where {AT_SNAPSHOT}
    union all
    select table_id, path, path_is_relative from ducklake_delete_file where {AT_SNAPSHOT}
) as f
inner join (select distinct table_id, schema_id, path, path_is_relative from ducklake_table) as t
    using (table_id)
inner join (select distinct schema_id, path, path_is_relative from ducklake_schema) as s using (schema_id)
"""  # noqa: S608 - no word of it comes from outside


def copy_to_read(
    settings: LakeSettings, *, snapshot_id: int | None = None
) -> tuple[LakeSettings, Path | None]:
    """Returns the settings of a reader: with a copy of a SQLite catalog, which is the reader's to remove.

    Args:
        settings: Where the lake is.
        snapshot_id: Leaves out of the copy what this snapshot does not read.

    Raises: NothingPublished if there is no catalog; CatalogUnusable.
    """
    if settings.catalog_kind != "sqlite":
        return settings, None
    if not has_catalog(settings):
        raise NothingPublished(f"The lake has no catalog at {settings.catalog_target} yet")
    try:
        copy = copy_catalog(Path(settings.catalog_target), snapshot_id=snapshot_id)
    except sqlite3.Error as error:
        raise CatalogUnusable(settings.catalog_target, f"{error}.") from None
    return settings.model_copy(update={"catalog": f"sqlite:{copy}"}), copy


def has_catalog(settings: LakeSettings) -> bool:
    """Returns whether there is a SQLite catalog; SQLite itself would wait for a pipe without an end.

    An empty file is none: SQLite would begin a new database in it, and every snapshot be another one.

    Raises: CatalogUnusable if it is empty, no file or another program's, or what lies beside it is no file.
    """
    catalog = Path(settings.catalog_target)
    for file in (catalog, *(catalog.with_name(catalog.name + end) for end in BESIDE)):
        if is_something_else(file, stat.S_ISREG):
            raise CatalogUnusable(settings.catalog_target, f"{file.name} is no file. Move it away.")
        if file != catalog and has_other_names(file):  # SQLite would write into what the others name, too
            raise CatalogUnusable(settings.catalog_target, f"{file.name} is another file too. Move it away.")
    if catalog.exists() and not catalog.stat().st_size:
        raise CatalogUnusable(settings.catalog_target, "it is empty.")
    if catalog.exists() and _is_anothers(catalog):
        raise CatalogUnusable(settings.catalog_target, "it is another program's database. Move it away.")
    return catalog.exists()


def _is_anothers(catalog: Path) -> bool:
    """Returns whether a whole database has no table of DuckLake's: that would make its own in it."""
    with may_open(catalog) as is_here, suppress(sqlite3.Error):  # whoever reads it says what is wrong
        if is_here:
            with closing(sqlite3.connect(f"file:{quote(str(catalog))}?mode=ro", uri=True)) as source:
                return source.execute(OWN_TABLE).fetchone() is None
    return False  # also where DuckDB writes it in this process


def copy_catalog(catalog: Path, *, snapshot_id: int | None = None) -> Path:
    """Copies a catalog as it is after one of its commits; writers are not kept waiting.

    Args:
        catalog: A SQLite catalog.
        snapshot_id: Leaves out of the copy what this snapshot does not read.

    Raises: sqlite3.Error if it is no catalog, or damaged.
    """
    copy = _new_file(catalog)
    try:
        copy_whole(catalog, copy)
        if snapshot_id is not None:
            with closing(sqlite3.connect(copy)) as target:
                _prune(target, snapshot_id)
    except BaseException:
        remove(copy)
        raise
    return copy


def copy_whole(catalog: Path, target: Path) -> None:
    """Writes a catalog as it is after one of its commits to a file; writers are not kept waiting.

    By a program of its own where DuckDB has the catalog open in this process (see `lake.catalog.writer`).

    Raises: sqlite3.Error if it is no catalog, or damaged.
    """
    with may_open(catalog) as is_here:
        if is_here:
            sqlite_backup.back_up(str(catalog), str(target))
            return
    command = [sys.executable, "-I", "-S", sqlite_backup.__file__, str(catalog), str(target)]
    done = subprocess.run(
        command, env=dict(os.environ), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise sqlite3.DatabaseError(
            (done.stderr.strip().splitlines() or [f"its copy ended with {done.returncode}"])[-1]
        )


def files_of(copy: Path, snapshot_id: int) -> tuple[Path, ...]:
    """Returns the files that a snapshot reads, of a lake in a folder."""
    with closing(sqlite3.connect(f"file:{quote(str(copy))}?mode=ro", uri=True)) as catalog:
        return tuple(Path(path) for (path,) in catalog.execute(FILES, {"at": snapshot_id}))


def remove_after(connection: DuckDBPyConnection, copy: Path | None) -> None:
    """Removes a copy when the connection that reads it is gone, at the latest when this process ends."""
    weakref.finalize(connection, remove, copy)


def remove(copy: Path | None) -> None:
    """Removes a copy, if one was made, and what SQLite has put beside it."""
    if copy:
        for file in (copy, *(copy.with_name(copy.name + end) for end in BESIDE)):
            file.unlink(missing_ok=True)


def _prune(catalog: sqlite3.Connection, snapshot_id: int) -> None:
    """Takes out of a copy the files, the figures and the history that a snapshot does not read."""
    at = {"at": snapshot_id}
    catalog.execute("pragma secure_delete = on")
    for statement in PRUNE:
        catalog.execute(statement, at)
    catalog.commit()


def _new_file(catalog: Path) -> Path:
    """Returns an empty file for a copy: beside the catalog, or where temporary files go if it may not lie
    there.

    Copies whose process is gone without removing them go with the next one that is made.
    """
    folder = catalog.parent / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", suffix=".sqlite", dir=folder)
        _sweep(folder)
    except OSError:
        handle, name = tempfile.mkstemp(prefix=f"canopy-catalog-{os.getpid()}-", suffix=".sqlite")
        _sweep(Path(name).parent, "canopy-catalog-")
    os.close(handle)
    return Path(name)


def _sweep(folder: Path, begins: str = "") -> None:
    for file in folder.iterdir():
        named = COPY.fullmatch(file.name) if file.name.startswith(begins) else None
        if named and not Path("/proc", named["owner"]).exists() and file.is_file():
            with suppress(OSError):
                file.unlink(missing_ok=True)
