"""The lake as it was: a snapshot by its number, or what was published at a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contracts.errors import NothingPublished, SnapshotMissing
from lake.catalog.tables import has_table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


LONGEST_NUMBER = 20  # digits


def snapshot_at(connection: DuckDBPyConnection, at: str) -> int:
    """Returns the snapshot that `at` names.

    Args:
        connection: A reader of the newest state.
        at: The number of a snapshot, or a moment in ISO 8601 (UTC where it names no zone): then what was
            published last before it, and at it.

    Raises: SnapshotMissing, with those that are there; NothingPublished before the first publication.
    """
    if at.isdecimal():
        if len(at) > LONGEST_NUMBER:
            raise SnapshotMissing(at[:LONGEST_NUMBER] + "…", "it has more digits than any snapshot's number")
        known = connection.execute("select snapshot_id from lake.snapshots() order by 1").fetchall()
        numbers = [row[0] for row in known]
        if int(at) not in numbers:
            raise SnapshotMissing(at, f"the lake has {len(numbers)}, from {numbers[0]} to {numbers[-1]}")
        return int(at)
    moment = _moment(at)
    if not has_table(connection, "published.publications"):
        raise NothingPublished
    found = connection.execute(
        "select snapshot_id from published.publications "  # noqa: S608 - a moment's own spelling
        f"where published_at <= '{moment.isoformat()}' "
        "order by publication_id desc limit 1"
    ).fetchone()
    if found is None:
        raise NothingPublished(
            f"Nothing was published yet at {moment:%Y-%m-%d %H:%M:%S} UTC",
            "`canopy lake publications` shows what was published when; times without a zone are UTC.",
        )
    return int(found[0])


def _moment(at: str) -> datetime:
    try:
        moment = datetime.fromisoformat(at)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter where a zone leads out of the calendar
        raise SnapshotMissing(at, "it is neither a number nor a time such as 2026-11-23T14:30") from None
