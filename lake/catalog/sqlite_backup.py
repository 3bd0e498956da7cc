"""A whole copy of a SQLite database; it needs nothing of the project, for it runs as a program, too."""

import sqlite3
import sys
from contextlib import closing
from urllib.parse import quote


def back_up(database: str, target: str) -> None:
    """Writes a database as it is after one of its commits to a file; writers are not kept waiting.

    Raises: sqlite3.Error if it is none, or damaged.
    """
    with (
        closing(sqlite3.connect(f"file:{quote(database)}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
        copy.execute("pragma journal_mode = delete")  # no files beside it


if __name__ == "__main__":
    try:
        back_up(*sys.argv[1:])
    except sqlite3.Error as error:
        sys.exit(str(error))
