"""A reader's own copy of a SQLite catalog.

DuckDB reads each table of a SQLite catalog in a connection of its own, and only the rows that were there when
it looked for the last one: a commit in between, such as a second delete in one file or a compaction, makes a
reader miss the rows that it replaces, also at a snapshot that it does not change. A copy does not change.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import weakref
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import duckdb


def copy_catalog(catalog: Path) -> Path:
    """Copies a catalog as it is after one of its commits; writers are not kept waiting.

    Raises: sqlite3.Error if it is no catalog, or damaged.
    """
    handle, name = tempfile.mkstemp(prefix="canopy-catalog-", suffix=".sqlite")
    os.close(handle)
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(catalog))}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(name)) as copy,
        ):
            source.backup(copy)
            copy.execute("pragma journal_mode = delete")  # no files beside it
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)


def remove_after(connection: duckdb.DuckDBPyConnection, copy: Path | None) -> None:
    """Removes a copy when the connection that reads it is gone, at the latest when this process ends."""
    weakref.finalize(connection, remove, copy)


def remove(copy: Path | None) -> None:
    """Removes a copy, if one was made, and what SQLite has put beside it."""
    if copy:
        for file in (copy, *(copy.with_name(copy.name + end) for end in ("-wal", "-shm", "-journal"))):
            file.unlink(missing_ok=True)
