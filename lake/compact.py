"""Small files merged, and what nobody may ask for any more deleted."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from lake.catalog import connect, current_snapshot
from lake.published import newest_publication
from lake.settings import LakeSettings
from lake.writer import one_writer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Compacted:
    """What a compaction did.

    Attributes:
        expired: Snapshots that can no longer be read.
        pinned: Older snapshots that stay, because they are published or a model cites them.
        files_before: Data files of the tables as they are, and
        files_after: how many they are now.
        deleted: Files that were removed from the store.
    """

    expired: int
    pinned: int
    files_before: int
    files_after: int
    deleted: int


def compact(settings: LakeSettings, cited: Collection[int] = (), *, now: datetime | None = None) -> Compacted:
    """Expires old snapshots, merges small files and deletes what no snapshot needs.

    Each step is one transaction of the catalog: readers see the lake as before or as after it, with the same
    rows. Files are deleted only when they have been of no use for longer than any reader takes.

    Args:
        settings: Where the lake is, how long snapshots are kept and readers may take.
        cited: Snapshots that stay, however old: those that a registered model has learned from.
        now: The time; it is now where None.

    Raises: NothingPublished if there is no lake; LakeBusy.
    """
    now = now or datetime.now(UTC)
    with one_writer(settings), connect(settings, write=True) as connection:
        old = _older_than(connection, now - timedelta(days=settings.keep_snapshots_days))
        published = newest_publication(connection)
        pins = {*cited, current_snapshot(connection), *([published.snapshot_id] if published else [])}
        gone = sorted(old - pins)
        before = _files(connection)
        if gone:
            connection.execute("call ducklake_expire_snapshots('lake', versions => ?::ubigint[])", [gone])
        connection.execute("call ducklake_merge_adjacent_files('lake')")
        connection.execute("call ducklake_rewrite_data_files('lake')")
        unused_since = now - timedelta(hours=settings.keep_files_hours)
        deleted = sum(
            len(connection.execute(f"call {step}('lake', older_than => ?)", [unused_since]).fetchall())
            for step in ("ducklake_cleanup_old_files", "ducklake_delete_orphaned_files")
        )
        compacted = Compacted(len(gone), len(old & pins), before, _files(connection), deleted)
    logger.info(
        "compacted expired=%d pinned=%d files_before=%d files_after=%d deleted=%d", *vars(compacted).values()
    )
    return compacted


def _older_than(connection: duckdb.DuckDBPyConnection, moment: datetime) -> set[int]:
    rows = connection.execute(
        "select snapshot_id from lake.snapshots() where snapshot_time < ?", [moment]
    ).fetchall()
    return {row[0] for row in rows}


def _files(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("select sum(file_count) from ducklake_table_info('lake')").fetchone()
    return int(row[0] or 0) if row else 0
