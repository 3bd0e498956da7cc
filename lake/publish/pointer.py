"""The published pointer: which snapshot everybody downstream reads."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from contracts.errors import NothingPublished
from lake.catalog.connection import connect
from lake.catalog.tables import has_table
from lake.catalog.writer import one_publisher
from lake.publish.analysts_file import KEY, write_analysts_file
from lake.publish.audits import passed_audit
from lake.publish.digests import known_files, record_digests, recorded_object, require_whole
from lake.settings import LakeSettings

logger = logging.getLogger(__name__)

CREATE = """
create schema if not exists published;
create table if not exists published.publications (
    publication_id bigint, snapshot_id bigint, published_at timestamptz,
    landings bigint, observations bigint, quarantined bigint, audit varchar,
    new_landings varchar[], seconds double, audit_id bigint, files_until bigint
)
"""
# Lakes that were published before these were written down.
ADD = """
alter table published.publications add column if not exists new_landings varchar[];
alter table published.publications add column if not exists seconds double;
alter table published.publications add column if not exists audit_id bigint;
alter table published.publications add column if not exists files_until bigint
"""

COUNT = """
select
    (select count(*) from silver.landings at (version => {version})),
    (select count(*) from silver.observations at (version => {version})),
    (select count(*) from silver.quarantine at (version => {version}))
"""

# Without the landings: a first publication may have 10,000, and the pointer is read all the time.
NEWEST = """
select columns(lambda name: name != 'new_landings') from published.publications
where publication_id = (select max(publication_id) from published.publications)
"""

INSERT = """
insert into published.publications (
    publication_id, snapshot_id, published_at, landings, observations, quarantined, audit, seconds, audit_id,
    files_until, new_landings
) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

BUILT = ("silver.*", "gold.*")
LANDINGS = "select columns('^(landing_id|accepted_rows|quarantined_rows)$') from silver.landings {version}"
NEW = "select landing_id from ({landings})"


@dataclass(frozen=True)
class Publication:
    """One move of the pointer.

    The table also has `new_landings`: those that the publication before did not have, or not with these rows.

    Attributes:
        publication_id: Counts from 1.
        snapshot_id: The DuckLake snapshot that was audited.
        published_at: When the pointer moved, UTC.
        landings: Responses in it.
        observations: Distinct rows in it.
        quarantined: Rows kept apart in it, with their reasons.
        audit: What the audit said, in one line.
        seconds: How long it took from what was built to the pointer's move; None if it is not known.
        audit_id: The audit's row in `published.audits`; None if there is none.
        files_until: The number up to which digests of the tables' files were recorded; None if nobody did.
    """

    publication_id: int
    snapshot_id: int
    published_at: datetime
    landings: int
    observations: int
    quarantined: int
    audit: str
    seconds: float | None = None
    audit_id: int | None = None
    files_until: int | None = None


def publish(settings: LakeSettings, snapshot_id: int, audit: str, *, seconds: float = 0.0) -> Publication:
    """Moves the pointer to a snapshot, in one transaction, then replaces the analysts' file.

    Publishing what is published already, or something older, changes nothing but the file. The snapshot's new
    files are read once more: what was changed since it was built is not published.

    Args:
        settings: Where the lake is.
        snapshot_id: A snapshot that has passed its audit.
        audit: What the audit said, in one line.
        seconds: How long the build took; the audit's time and the publication's own are added.

    Raises: FilesChanged, naming the file: the pointer has not moved, or the analysts' file is that of before.
    """
    began = time.monotonic()
    with one_publisher(settings):
        with connect(settings, write=True) as connection:
            last = newest_publication(connection)
            if last is None or last.snapshot_id < snapshot_id:
                files_until = _check(settings, connection, snapshot_id, last)
                last = _move(connection, snapshot_id, audit, last, began - seconds, files_until)
                record_digests(settings, connection)  # of the pointer's own file too
                logger.info("published publication=%d snapshot=%d", last.publication_id, last.snapshot_id)
            file = recorded_object(connection, KEY)
        write_analysts_file(settings, last.snapshot_id, file)
    return last


def latest(settings: LakeSettings) -> Publication | None:
    """Returns where the pointer stands, or None if it was never moved."""
    try:
        with connect(settings) as connection:
            return newest_publication(connection)
    except NothingPublished:
        return None


def published(settings: LakeSettings) -> list[tuple[Publication, tuple[str, ...] | None]]:
    """Returns all publications with the landings that were new in them, newest first; None where nobody
    knows."""
    try:
        with connect(settings) as connection:
            if not has_table(connection, "published.publications"):
                return []
            found = connection.execute("from published.publications order by publication_id desc")
            names = [column[0] for column in found.description or []]
            rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    except NothingPublished:
        return []
    new = [row.pop("new_landings", None) for row in rows]
    return [
        (Publication(**row), None if ids is None else tuple(ids)) for row, ids in zip(rows, new, strict=True)
    ]


def newest_publication(connection: duckdb.DuckDBPyConnection) -> Publication | None:
    """Returns where the pointer stands, on a connection that is there already."""
    if not has_table(connection, "published.publications"):
        return None
    found = connection.execute(NEWEST)
    names, row = [column[0] for column in found.description or []], found.fetchone()
    return Publication(**dict(zip(names, row, strict=True))) if row else None


def new_landings_query(published_snapshot_id: int | None, snapshot_id: int | None = None) -> str:
    """Returns the query for landings that a snapshot has, and the published one has not, or not with these
    rows.

    A landing that is held back or released, or whose rows are judged again, counts once more.

    Args:
        published_snapshot_id: What was published before, if anything was.
        snapshot_id: The snapshot; what the connection sees if not given.
    """
    query = LANDINGS.format(version="" if snapshot_id is None else f"at (version => {int(snapshot_id)})")
    if published_snapshot_id is not None:
        query += " except " + LANDINGS.format(version=f"at (version => {int(published_snapshot_id)})")
    return NEW.format(landings=query)


def _check(
    settings: LakeSettings, connection: duckdb.DuckDBPyConnection, snapshot_id: int, last: Publication | None
) -> int:
    """Compares what is new in a snapshot with what was recorded after its build, or records it now.

    Returns: How far the records reach.
    """
    since = -1 if last is None else last.snapshot_id
    require_whole(settings, connection, snapshot_id, BUILT, since=since)
    known = known_files(settings, connection, "files.file_id > $mark")
    if any(file.is_in(snapshot_id) for file in known.files):  # nobody has audited it
        record_digests(settings, connection)
        known = known_files(settings, connection, "false")
    return -1 if known.until is None else known.until


def _move(
    connection: duckdb.DuckDBPyConnection,
    snapshot_id: int,
    audit: str,
    last: Publication | None,
    began: float,
    files_until: int,
) -> Publication:
    counts = connection.execute(COUNT.format(version=int(snapshot_id))).fetchone()
    new = connection.execute(new_landings_query(last.snapshot_id if last else None, snapshot_id)).fetchall()
    audit_id, audit_seconds = passed_audit(connection, snapshot_id)
    connection.execute("begin")
    connection.execute(CREATE)
    if last and None in (last.seconds, last.files_until):
        connection.execute(ADD)
    landings, observations, quarantined = counts or (0, 0, 0)
    publication = Publication(
        publication_id=last.publication_id + 1 if last else 1,
        snapshot_id=int(snapshot_id),
        published_at=datetime.now(UTC),
        landings=landings,
        observations=observations,
        quarantined=quarantined,
        audit=audit,
        seconds=round(time.monotonic() - began + audit_seconds, 2),
        audit_id=audit_id,
        files_until=files_until,
    )
    connection.execute(INSERT, [*vars(publication).values(), sorted(landing_id for (landing_id,) in new)])
    connection.execute("commit")
    return publication
