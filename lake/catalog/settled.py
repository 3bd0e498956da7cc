"""Checks this machine's clock where things are removed because of their age.

One look at a clock that is years ahead would make everything old. So a time is believed only when the lake's
own times lead up to it: those of its snapshots, and of the compactions that were tried. Where there is a
gap between them, because the clock has jumped or the lake was at rest, nothing is removed until the clock has
gone on for the better part of a day behind it. The runs that fail meanwhile are alerts.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import duckdb

from contracts.errors import ClockDoubted, NothingPublished
from lake.catalog.connection import connect
from lake.publish.digests import METADATA
from lake.settings import LakeSettings

# A long weekend, and less than snapshots are kept: a jump that passes unseen cannot make all of them old.
LONGEST_GAP = timedelta(days=3)
# The maintenance of the next day goes on, also where it begins a little earlier.
SETTLED_AFTER = timedelta(hours=20)

TRIED = f"{METADATA}.canopy_compactions"
KEPT = 10
SNAPSHOTS = "select snapshot_time from lake.snapshots()"


def settled_now(settings: LakeSettings) -> datetime:
    """Returns the time, for who removes what is old. A lake that is not there yet knows of none, and doubts
    none.

    Raises: ClockDoubted; CatalogUnusable and the like if the lake cannot be asked.
    """
    now = utc_now()
    with suppress(NothingPublished), connect(settings) as connection:
        _require_settled(now, _times(connection))
    return now


def noted_now(connection: duckdb.DuckDBPyConnection) -> datetime:
    """Returns the time, for a compaction, which is noted: the next one knows by it how the clock has gone on.

    Raises: ClockDoubted.
    """
    now, known = utc_now(), _times(connection)
    connection.execute(f"create table if not exists {TRIED} (tried_at timestamptz)")
    connection.execute(f"delete from {TRIED} where tried_at::timestamptz > ?", [now])  # noqa: S608
    connection.execute(f"insert into {TRIED} values (?)", [now])  # noqa: S608
    oldest = f"select tried_at from {TRIED} order by tried_at::timestamptz desc limit {KEPT}"  # noqa: S608
    connection.execute(f"delete from {TRIED} where tried_at not in ({oldest})")  # noqa: S608
    _require_settled(now, known)
    return now


def utc_now() -> datetime:
    """Returns what this machine's clock says."""
    return datetime.now(UTC)


def _require_settled(now: datetime, known: Iterable[datetime]) -> None:
    """Goes back from now until the times have lasted for long enough; no gap may come before."""
    since = now
    for time in sorted((time for time in known if time <= now), reverse=True):
        if now - since >= SETTLED_AFTER:
            return
        if since - time > LONGEST_GAP:
            raise ClockDoubted(now, time)
        since = time


def _times(connection: duckdb.DuckDBPyConnection) -> list[datetime]:
    """Returns when the lake was changed, and when it was tried to compact it."""
    times = [time for (time,) in connection.execute(SNAPSHOTS).fetchall()]
    with suppress(duckdb.CatalogException):  # nobody has tried yet
        found = connection.execute(f"select tried_at::timestamptz from {TRIED}").fetchall()  # noqa: S608
        times += [time for (time,) in found]
    return times
