"""Questions to the lake, read-only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from contracts.errors import QueryFailed
from lake.catalog import connect
from lake.published import connect_published
from lake.settings import LakeSettings
from lake.travel import snapshot_at

# What a query is written to, by the end of the file's name.
FORMATS = {".csv": "csv, header", ".json": "json, array true", ".parquet": "parquet"}


@dataclass(frozen=True)
class Answer:
    """What a query gave: column names, and rows as tuples."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """The rows as one dictionary each."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def run_query(
    query: str, *, head: bool = False, at: str | None = None, lake: LakeSettings | None = None
) -> Answer:
    """Runs a query at the published pointer.

    Args:
        query: Any DuckDB query over the schemas silver and gold; the lake is attached read-only.
        head: Read the newest snapshot instead of the published one.
        at: Read this snapshot, or what was published at this time (see `lake.travel`).
        lake: Where the lake is.

    Raises: QueryFailed with DuckDB's words; NothingPublished; SnapshotMissing.
    """
    with _reader(lake or LakeSettings(), head, at) as connection, _answering(query):
        cursor = connection.execute(query)
        return Answer([column[0] for column in cursor.description or []], cursor.fetchall())


def write_query(
    query: str, file: Path, *, head: bool = False, at: str | None = None, lake: LakeSettings | None = None
) -> int:
    """Writes what a query gives into a file, without holding it in memory.

    Args:
        query: As for `run_query`; one statement.
        file: Its name ends in .csv, .json or .parquet.
        head: As for `run_query`.
        at: As for `run_query`.
        lake: Where the lake is.

    Returns: the number of rows.
    Raises: as `run_query`; QueryFailed for another ending.
    """
    if file.suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise QueryFailed(query, f"{file.name!r} ends in {file.suffix!r}, and can end in {known}")
    target = str(file).replace("'", "''")
    with _reader(lake or LakeSettings(), head, at) as connection, _answering(query):
        statement = query.strip().rstrip(";")
        row = connection.execute(
            f"copy ({statement}) to '{target}' (format {FORMATS[file.suffix]})"
        ).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def _reader(lake: LakeSettings, head: bool, at: str | None) -> Iterator[duckdb.DuckDBPyConnection]:
    if at is not None:
        connection = connect(lake, snapshot_id=snapshot_at(lake, at))
    elif head:
        connection = connect(lake)
    else:
        connection = connect_published(lake)[1]
    with connection:
        yield connection


@contextmanager
def _answering(query: str) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise QueryFailed(query, str(error)) from error
