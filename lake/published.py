"""The published pointer: which snapshot everybody downstream reads."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from contracts.errors import NothingPublished
from lake.analysts import write_analysts_file
from lake.catalog import connect
from lake.settings import LakeSettings
from lake.tables import has_table

logger = logging.getLogger(__name__)

CREATE = """
create schema if not exists published;
create table if not exists published.publications (
    publication_id bigint, snapshot_id bigint, published_at timestamptz,
    landings bigint, observations bigint, quarantined bigint, audit varchar
)
"""

COUNT = """
select
    (select count(*) from silver.landings at (version => {version})),
    (select count(*) from silver.observations at (version => {version})),
    (select count(*) from silver.quarantine at (version => {version}))
"""


@dataclass(frozen=True)
class Publication:
    """One move of the pointer.

    Attributes:
        publication_id: Counts from 1.
        snapshot_id: The DuckLake snapshot that was audited.
        published_at: When the pointer moved, UTC.
        landings: Responses in it.
        observations: Distinct rows in it.
        quarantined: Rows kept apart in it, with their reasons.
        audit: What the audit said, in one line.
    """

    publication_id: int
    snapshot_id: int
    published_at: datetime
    landings: int
    observations: int
    quarantined: int
    audit: str


def publish(settings: LakeSettings, snapshot_id: int, audit: str) -> Publication:
    """Moves the pointer to a snapshot, in one transaction, then replaces the analysts' file.

    Publishing the snapshot that is published already changes nothing but the file.

    Args:
        settings: Where the lake is.
        snapshot_id: A snapshot that has passed its audit.
        audit: What the audit said, in one line.
    """
    with connect(settings, write=True) as connection:  # one: each costs 0.4 s, for the extensions' signatures
        last = newest_publication(connection)
        if last is None or last.snapshot_id != snapshot_id:
            last = _move(connection, snapshot_id, audit, last.publication_id + 1 if last else 1)
            logger.info("published publication=%d snapshot=%d", last.publication_id, last.snapshot_id)
    write_analysts_file(settings, last.snapshot_id)
    return last


def latest(settings: LakeSettings) -> Publication | None:
    """Where the pointer stands, or None if it was never moved."""
    try:
        with connect(settings) as connection:
            return newest_publication(connection)
    except NothingPublished:
        return None


def connect_published(settings: LakeSettings) -> tuple[Publication, duckdb.DuckDBPyConnection]:
    """A reader pinned at the pointer.

    Raises: NothingPublished if the pointer was never moved.
    """
    publication = latest(settings)
    if publication is None:
        raise NothingPublished
    return publication, connect(settings, snapshot_id=publication.snapshot_id)


def newest_publication(connection: duckdb.DuckDBPyConnection) -> Publication | None:
    """Where the pointer stands, on a connection that is there already."""
    if not has_table(connection, "published.publications"):
        return None
    row = connection.execute("from published.publications order by publication_id desc limit 1").fetchone()
    return Publication(*row) if row else None


def _move(
    connection: duckdb.DuckDBPyConnection, snapshot_id: int, audit: str, publication_id: int
) -> Publication:
    counts = connection.execute(COUNT.format(version=int(snapshot_id))).fetchone()
    landings, observations, quarantined = counts or (0, 0, 0)
    publication = Publication(
        publication_id, snapshot_id, datetime.now(UTC), landings, observations, quarantined, audit
    )
    connection.execute("begin")
    connection.execute(CREATE)
    connection.execute(
        "insert into published.publications values (?, ?, ?, ?, ?, ?, ?)", list(vars(publication).values())
    )
    connection.execute("commit")
    return publication
