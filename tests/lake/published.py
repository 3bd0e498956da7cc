"""A lake with two publications of one small table, made without a build."""

from __future__ import annotations

import duckdb

from lake.catalog.connection import connect, current_snapshot
from lake.publish.pointer import Publication, latest, publish
from lake.settings import LakeSettings

COUNTED = ("silver.landings", "silver.observations", "silver.quarantine")


def fill_with_numbers(lake: LakeSettings) -> LakeSettings:
    """Two publications in an empty lake: of the numbers 0 to 2, and of 0 to 4."""
    make_countable(lake)
    with connect(lake, write=True) as connection:
        connection.execute("create table gold.numbers (number integer)")
        connection.execute("comment on table gold.numbers is 'Numbers, it''s said'")
        connection.execute("comment on column gold.numbers.number is 'A whole number'")
    publish_after(lake, "insert into gold.numbers from range(3)")
    publish_after(lake, "insert into gold.numbers from range(3, 5)")
    return lake


def make_countable(lake: LakeSettings) -> None:
    """Makes what a publication counts, and an empty gold."""
    with connect(lake, write=True) as connection:
        connection.execute("create schema silver; create schema gold")
        for name in COUNTED:
            connection.execute(f"create table {name} (landing_id varchar)")


def publish_after(lake: LakeSettings, *statements: str) -> Publication:
    """Changes the lake, and publishes what it is then."""
    with connect(lake, write=True) as connection:
        for statement in statements:
            connection.execute(statement)
        snapshot = current_snapshot(connection)
    return publish(lake, snapshot, "held")


def connect_published(lake: LakeSettings) -> tuple[Publication, duckdb.DuckDBPyConnection]:
    """A reader pinned at the pointer, which has been moved."""
    publication = latest(lake)
    assert publication is not None
    return publication, connect(lake, snapshot_id=publication.snapshot_id)
