"""Landings: the responses that a snapshot was built from, each down to its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from contracts.errors import SnapshotMissing
from contracts.landing_id import moment_in, moment_text
from lake.bronze.landings import Raw, read_raw
from lake.objects import open_objects
from lake.publish.pointer import Publication
from lake.settings import LakeSettings
from ui.reading.pointer import KEY, WINDOWS, Row, read, read_newest

PAGE = 20
COLUMNS = """
    landing_id, group_number as "group", batch_number as batch, fetched_at, landed_rows, accepted_rows,
    quarantined_rows, new_rows, sha256, raw_key
"""
# A landing's name begins with the moment of its fetching: files that lie outside are never opened.
ONE = f"select {COLUMNS} from silver.landings where landing_id = ?"  # noqa: S608
# Without a filter DuckDB begins at the newest file and leaves out those that no page can come from.
FIRST = f"select {COLUMNS} from silver.landings order by landing_id desc limit {PAGE}"  # noqa: S608
BETWEEN = f"""
select {COLUMNS} from silver.landings
where landing_id < ? and landing_id >= ?
order by landing_id desc
limit {PAGE}
"""  # noqa: S608
PUBLICATION = """
select publication_id, snapshot_id, published_at, landings, observations, quarantined, audit
from published.publications
where snapshot_id = ?
order by publication_id desc
limit 1
"""


@dataclass(frozen=True)
class Landed:
    """One response whose rows are in the lake."""

    landing_id: str
    group: int
    batch: int | None
    fetched_at: datetime
    landed_rows: int
    accepted_rows: int
    quarantined_rows: int
    new_rows: int
    sha256: str
    raw_key: str


def publication_of(settings: LakeSettings, snapshot_id: int) -> Publication:
    """Returns what was published at a snapshot. Raises: SnapshotMissing if nothing was."""
    found = read_newest(settings, PUBLICATION, [snapshot_id])
    if not found:
        raise SnapshotMissing(str(snapshot_id), "no publication is of this snapshot")
    return Publication(**found[0])


@st.cache_data(max_entries=16, show_spinner=False, hash_funcs=KEY)
def landings_before(settings: LakeSettings, snapshot_id: int, before: str | None = None) -> list[Landed]:
    """Returns a page of a snapshot's landings, newest first.

    Args:
        settings: Where the lake is.
        snapshot_id: The snapshot.
        before: Where the page before ended; the newest if not given.
    """
    found = (
        read(settings, snapshot_id, FIRST) if before is None else _page_before(settings, snapshot_id, before)
    )
    return [Landed(**row) for row in found]


def _page_before(settings: LakeSettings, snapshot_id: int, before: str) -> list[Row]:
    """Returns a page out of a window that is widened until it holds one: files before it are never opened."""
    end = moment_in(before)
    for window in WINDOWS:
        begin = moment_text(end - window)
        found = read(settings, snapshot_id, BETWEEN, [before, begin])
        if len(found) == PAGE:
            return found
    return read(settings, snapshot_id, BETWEEN, [before, ""])


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=KEY)
def landing(settings: LakeSettings, snapshot_id: int, landing_id: str) -> Landed | None:
    """Returns one landing of a snapshot, or None if it has no such one."""
    found = read(settings, snapshot_id, ONE, [landing_id])
    return Landed(**found[0]) if found else None


@st.cache_data(max_entries=4, show_spinner=False, hash_funcs=KEY)
def raw_response(settings: LakeSettings, key: str) -> tuple[bytes, Raw]:
    """Returns a response byte for byte, re-hashed, with its provenance. Raises: RawDamaged, ObjectMissing."""
    return read_raw(open_objects(settings), key)
