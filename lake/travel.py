"""The lake as it was: a snapshot by its number, or what was published at a moment."""

from __future__ import annotations

from datetime import UTC, datetime

from contracts.errors import NothingPublished, SnapshotMissing
from lake.catalog import connect
from lake.settings import LakeSettings
from lake.tables import has_table


def snapshot_at(settings: LakeSettings, at: str) -> int:
    """The snapshot that `at` names.

    Args:
        settings: Where the lake is.
        at: The number of a snapshot, or a moment in ISO 8601 (UTC where it names no zone): then what was
            published last before it, and at it.

    Raises: SnapshotMissing, with those that are there; NothingPublished before the first publication.
    """
    with connect(settings) as connection:
        if at.isdecimal():
            known = connection.execute("select snapshot_id from lake.snapshots() order by 1").fetchall()
            numbers = [row[0] for row in known]
            if int(at) not in numbers:
                raise SnapshotMissing(at, f"the lake has {len(numbers)}, from {numbers[0]} to {numbers[-1]}")
            return int(at)
        moment = _moment(at)
        if not has_table(connection, "published.publications"):
            raise NothingPublished
        found = connection.execute(
            "select snapshot_id from published.publications where published_at <= ? "
            "order by publication_id desc limit 1",
            [moment],
        ).fetchone()
        if found is None:
            raise NothingPublished(f"Nothing was published yet at {moment:%Y-%m-%d %H:%M:%S} UTC")
        return int(found[0])


def _moment(at: str) -> datetime:
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise SnapshotMissing(at, "it is neither a number nor a time such as 2026-11-23T14:30") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
