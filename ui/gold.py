"""Gold at the published pointer: short reads, cached as long as their snapshot is the published one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import streamlit as st

from contracts.covertype import covertype
from contracts.errors import NothingPublished
from lake.catalog import connect
from lake.published import Publication, latest
from lake.settings import LakeSettings

BATCHES_SHOWN = 60
# What Streamlit's cache tells entries apart by.
KEY: dict[str | type[Any], Callable[[Any], Any]] = {LakeSettings: repr, Publication: repr}

TOTALS = """
select
    coalesce(sum(requests), 0)::bigint,
    count(batch_number),
    coalesce(sum(landed_rows), 0)::bigint,
    coalesce(sum(new_rows), 0)::bigint,
    coalesce(sum(quarantined_rows), 0)::bigint,
    max(last_fetched_at)
from gold.collection_progress
"""
BATCHES = """
select group_number, batch_number, requests, landed_rows, new_rows, quarantined_rows
from gold.collection_progress
order by last_fetched_at desc, batch_number desc
limit ?
"""
SPLIT = "select split, count(*) from gold.training_set group by split"
# Three cells a cover type out of the held-out side: at the quartiles of its elevations.
PRESETS = """
with ranked as (
    select
        {columns},
        row_number() over (partition by cover_type order by elevation_m, row_id) as position,
        count(*) over (partition by cover_type) as cells,
    from gold.training_set
    where split = 'test'
)
select {columns} from ranked
where position in ((cells + 3) // 4, (cells + 1) // 2, (3 * cells + 3) // 4)
order by cover_type, position
"""


@dataclass(frozen=True)
class Totals:
    """The collection so far.

    Attributes:
        requests: Responses that landed.
        batches: Batches that they came from.
        rows: Rows in them.
        new_rows: Rows seen for the first time: the distinct ones.
        quarantined_rows: Rows kept apart with their reasons.
        last_fetched_at: When the newest response came, UTC.
        train_rows: Rows to learn from.
        test_rows: Rows held out.
    """

    requests: int
    batches: int
    rows: int
    new_rows: int
    quarantined_rows: int
    last_fetched_at: datetime | None
    train_rows: int
    test_rows: int

    @property
    def repeated_rows(self) -> int:
        """Accepted rows that had been seen before."""
        return self.rows - self.new_rows - self.quarantined_rows


@dataclass(frozen=True)
class Batch:
    """What one batch brought; responses without rows have no batch number."""

    group: int
    batch: int | None
    requests: int
    rows: int
    new_rows: int
    quarantined_rows: int

    @property
    def repeated_rows(self) -> int:
        """Accepted rows that had been seen before."""
        return self.rows - self.new_rows - self.quarantined_rows


@dataclass(frozen=True)
class Progress:
    """Everything that the way shows of the lake: one short connection a snapshot.

    Attributes:
        published: The pointer that it was read at.
        totals: All batches together.
        batches: The newest ones, in the order in which they came.
    """

    published: Publication
    totals: Totals
    batches: tuple[Batch, ...]


@dataclass(frozen=True)
class Cell:
    """A real cell: its twelve features and what the survey found there."""

    features: Mapping[str, int | str]
    cover_type: int


@st.cache_data(ttl=2, show_spinner=False, hash_funcs=KEY)
def publication(settings: LakeSettings) -> Publication:
    """Where the pointer stands. Raises: NothingPublished if it was never moved."""
    found = latest(settings)
    if found is None:
        raise NothingPublished
    return found


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs=KEY)
def progress(settings: LakeSettings, published: Publication) -> Progress:
    """The collection so far, at the pointer."""
    with connect(settings, snapshot_id=published.snapshot_id) as connection:
        sums = connection.execute(TOTALS).fetchall()[0]
        sides = dict(connection.execute(SPLIT).fetchall())
        newest = connection.execute(BATCHES, [BATCHES_SHOWN]).fetchall()
    totals = Totals(*(*sums, sides.get("train", 0), sides.get("test", 0)))
    return Progress(published, totals, tuple(Batch(*row) for row in reversed(newest)))


@st.cache_data(max_entries=4, show_spinner=False, hash_funcs=KEY)
def presets(settings: LakeSettings, published: Publication) -> list[Cell]:
    """Up to three held-out cells of each cover type: low, middle and high."""
    names = [column.name for column in covertype().features]
    label = covertype().label.name
    query = PRESETS.format(columns=", ".join([*names, label]))
    with connect(settings, snapshot_id=published.snapshot_id) as connection:
        rows = connection.execute(query).fetchall()
    return [Cell(dict(zip(names, row, strict=False)), int(row[-1])) for row in dict.fromkeys(rows)]
