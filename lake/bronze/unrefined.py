"""Landings that silver does not know of yet."""

from __future__ import annotations

from datetime import datetime

from contracts.errors import NothingPublished
from contracts.landing_id import name_in
from lake.bronze.samples import landed_between
from lake.catalog.connection import connect
from lake.catalog.tables import has_table
from lake.objects import open_objects
from lake.settings import LakeSettings


def unrefined(
    settings: LakeSettings, *, since: datetime | None = None, until: datetime | None = None
) -> list[str]:
    """Keys of landings that are in bronze and not in silver, oldest first.

    Args:
        settings: Where the lake is.
        since: Only responses that were fetched at this moment or later.
        until: Only responses that were fetched before this moment.
    """
    keys = landed_between(open_objects(settings), since, until)
    known = _in_silver(settings) if keys else set()
    return [key for key in keys if name_in(key) not in known]


def _in_silver(settings: LakeSettings) -> set[str]:
    try:
        with connect(settings) as connection:
            if not has_table(connection, "silver.landings"):
                return set()
            return {row[0] for row in connection.execute("select landing_id from silver.landings").fetchall()}
    except NothingPublished:
        return set()
