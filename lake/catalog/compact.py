"""Small files merged, and what nobody may ask for any more deleted."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from contracts.errors import FilesChanged
from lake.catalog.connection import connect, current_snapshot
from lake.catalog.settled import noted_now
from lake.catalog.writer import one_writer
from lake.publish.digests import faults_of, forget_removed, known_files, record_digests
from lake.publish.pointer import newest_publication
from lake.settings import LakeSettings

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
    rows. Files are deleted only when they have been of no use for longer than any reader takes. Before files
    are merged they are compared with what was recorded of them: a table with one that was changed stays as it
    is, so that nothing passes into a new file unseen.

    Args:
        settings: Where the lake is, how long snapshots are kept and readers may take.
        cited: Snapshots that stay, however old: those that a registered model has learned from.
        now: The time; where None, this machine's, unless it has jumped.

    Raises: NothingPublished if there is no lake; LakeBusy; ClockDoubted; FilesChanged at the end, naming a
        file that was changed, when all other tables are compacted.
    """
    with one_writer(settings), connect(settings, write=True) as connection:
        now = now or noted_now(connection)
        old = _older_than(connection, now - timedelta(days=settings.keep_snapshots_days))
        published = newest_publication(connection)
        pins = {*cited, current_snapshot(connection), *([published.snapshot_id] if published else [])}
        gone = sorted(old - pins)
        before = _files(connection)
        if gone:
            connection.execute("call ducklake_expire_snapshots('lake', versions => ?::ubigint[])", [gone])
        record_digests(settings, connection)
        faults = _changed(settings, connection)
        _merge(connection, without=set(faults))
        record_digests(settings, connection)
        forget_removed(connection)
        unused_since = now - timedelta(hours=settings.keep_files_hours)
        deleted = sum(
            len(connection.execute(f"call {step}('lake', older_than => ?)", [unused_since]).fetchall())
            for step in ("ducklake_cleanup_old_files", "ducklake_delete_orphaned_files")
        )
        compacted = Compacted(len(gone), len(old & pins), before, _files(connection), deleted)
    logger.info(
        "compacted expired=%d pinned=%d files_before=%d files_after=%d deleted=%d", *vars(compacted).values()
    )
    for fault in faults.values():
        raise FilesChanged(fault)
    return compacted


def _changed(settings: LakeSettings, connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Returns the tables with a file that is not what was recorded, and what is wrong with it."""
    files = known_files(settings, connection).files
    faults = zip(files, faults_of(settings, files), strict=True)
    return {file.table: fault for file, fault in faults if fault}


def _merge(connection: duckdb.DuckDBPyConnection, without: Collection[str]) -> None:
    if not without:
        connection.execute("call ducklake_merge_adjacent_files('lake')")
        connection.execute("call ducklake_rewrite_data_files('lake')")
        return
    tables = connection.execute(
        "select table_schema, table_name from information_schema.tables "
        "where table_catalog = 'lake' order by all"
    ).fetchall()
    for schema, table in tables:
        if f"{schema}.{table}" in without:
            logger.warning("not_compacted table=%s.%s reason='a file of it was changed'", schema, table)
            continue
        for step in ("ducklake_merge_adjacent_files", "ducklake_rewrite_data_files"):
            connection.execute(f"call {step}('lake', ?, schema => ?)", [table, schema])


def _older_than(connection: duckdb.DuckDBPyConnection, moment: datetime) -> set[int]:
    rows = connection.execute(
        "select snapshot_id from lake.snapshots() where snapshot_time < ?", [moment]
    ).fetchall()
    return {row[0] for row in rows}


def _files(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("select sum(file_count) from ducklake_table_info('lake')").fetchone()
    return int(row[0] or 0) if row else 0
