"""The lake at its published pointer: one pinned reader a snapshot, kept open between visits.

To attach a catalog takes a quarter of a second, to ask one that is attached a few thousandths.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from contracts.errors import NothingPublished
from lake.catalog.connection import connect
from lake.catalog.tables import has_table
from lake.publish.pointer import Publication, newest_publication
from lake.settings import LakeSettings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# What Streamlit's cache tells entries apart by.
KEY: dict[str | type[Any], Callable[[Any], Any]] = {LakeSettings: repr, Publication: repr}
# A catalog in PostgreSQL has no file to look at.
LOOK_AGAIN_S = 2
WINDOWS = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 24 * 7, 24 * 30, 24 * 365))
ALL = datetime.min
NEWEST = "select max(last_fetched_at) as at from gold.collection_progress"

Row = dict[str, Any]


def publication(settings: LakeSettings) -> Publication:
    """Returns where the pointer stands. Raises: NothingPublished if it was never moved."""
    return _publication(settings, _mark(settings))


def read(settings: LakeSettings, snapshot_id: int, query: str, parameters: Sequence[Any] = ()) -> list[Row]:
    """Returns the rows of a query at a snapshot, by column name."""
    return _rows(_pinned(settings, snapshot_id), query, parameters)


def read_newest(settings: LakeSettings, query: str, parameters: Sequence[Any] = ()) -> list[Row]:
    """Returns the rows of a query as the lake is now, published or not; for what audits and publications
    say."""
    return _rows(_unpinned(settings, _mark(settings)), query, parameters)


def has_newest(settings: LakeSettings, table: str) -> bool:
    """Returns whether the lake has a table such as `published.audits` now."""
    return has_table(_unpinned(settings, _mark(settings)).cursor(), table)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=KEY)
def has(settings: LakeSettings, snapshot_id: int, table: str) -> bool:
    """Returns whether a snapshot has a table such as `gold.live_scores`; older lakes lack the newer ones."""
    return has_table(_pinned(settings, snapshot_id).cursor(), table)


def read_since(
    settings: LakeSettings, snapshot_id: int, table: str, count: int, query: str, where: str = "true"
) -> list[Row]:
    """Returns the newest rows of a table with `fetched_at`; none in a lake that is older than the table.

    It widens a window from the newest landing backwards. DuckLake knows the times in each file, so files
    before the window are never opened, however many there are.

    Args:
        settings: Where the lake is.
        snapshot_id: The snapshot.
        table: Such as `gold.live_scores`.
        count: How many rows are wanted at most.
        query: Takes the moment at which the window begins, and `count` as its limit.
        where: Which of the table's rows count.
    """
    if not has(settings, snapshot_id, table):
        return []
    newest = read(settings, snapshot_id, NEWEST)[0]["at"]
    begins = [newest - window for window in WINDOWS] if newest else []
    counting = f"select count(*) as rows from {table} where fetched_at >= ? and {where}"  # noqa: S608
    enough = (begin for begin in begins if read(settings, snapshot_id, counting, [begin])[0]["rows"] >= count)
    return read(settings, snapshot_id, query, [next(enough, ALL), count])


def _rows(connection: DuckDBPyConnection, query: str, parameters: Sequence[Any]) -> list[Row]:
    cursor = connection.cursor()  # Streamlit runs visits side by side
    cursor.execute("use lake")
    cursor.execute("set timezone = 'UTC'")
    found = cursor.execute(query, list(parameters))
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs=KEY)
def _publication(settings: LakeSettings, mark: tuple[int, ...]) -> Publication:
    found = newest_publication(_unpinned(settings, mark))
    if found is None:
        raise NothingPublished
    return found


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=KEY)
def _pinned(settings: LakeSettings, snapshot_id: int) -> DuckDBPyConnection:
    return connect(settings, snapshot_id=snapshot_id)


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs=KEY)
def _unpinned(settings: LakeSettings, mark: tuple[int, ...]) -> DuckDBPyConnection:  # noqa: ARG001 - a key
    return connect(settings)


def _mark(settings: LakeSettings) -> tuple[int, ...]:
    """Returns what changes when the catalog does: a SQLite file or its log of writes; else the time."""
    if settings.catalog_kind != "sqlite":
        return (int(time.time() / LOOK_AGAIN_S),)
    files = (Path(settings.catalog_target + end) for end in ("", "-wal"))
    stats = [file.stat() for file in files if file.exists()]
    return tuple(number for stat in stats for number in (stat.st_mtime_ns, stat.st_size))
