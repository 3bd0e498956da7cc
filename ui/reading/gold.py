"""The collection as gold tells it: batches, coverage and live scores at the published pointer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from lake.publish.pointer import Publication
from lake.settings import LakeSettings
from ui.reading.pointer import KEY, read, read_since

BATCHES_SHOWN = 60
LIVE_SHOWN = 60
LIVE = "gold.live_scores"

# One row a batch: a source hands out ten of them to a group, however many responses land.
TOTALS = """
select
    coalesce(sum(requests), 0)::bigint as requests,
    count(batch_number) as batches,
    coalesce(sum(landed_rows), 0)::bigint as rows,
    coalesce(sum(new_rows), 0)::bigint as new_rows,
    coalesce(sum(quarantined_rows), 0)::bigint as quarantined_rows,
    max(last_fetched_at) as last_fetched_at
from gold.collection_progress
"""
BATCHES = """
select
    group_number as "group", batch_number as batch, requests, landed_rows as rows, new_rows, quarantined_rows
from gold.collection_progress
order by last_fetched_at desc, batch_number desc
limit ?
"""
# The newest batch of a group knows all before it; where each batch has rows of its own, they are added up.
COVERAGE = """
with groups as (
    select *, row_number() over (partition by source, group_number order by last_fetched_at desc) as place
    from gold.collection_progress
)
select
    source, group_number as "group", group_requests as requests, distinct_rows, estimated_rows,
    estimated_rows_low, estimated_rows_high, coverage as share, coverage_low as low, coverage_high as high
from groups
where place = 1
order by source, group_number
"""
LIVE_SCORES = """
select
    fetched_at, model_version as version, scored_rows as rows, right_rows, accuracy, accuracy_low as low,
    accuracy_high as high
from gold.live_scores
where fetched_at >= ? and asked_by = 'landing'
order by fetched_at desc
limit ?
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
    """

    requests: int
    batches: int
    rows: int
    new_rows: int
    quarantined_rows: int
    last_fetched_at: datetime | None

    @property
    def repeated_rows(self) -> int:
        """Returns accepted rows that had been seen before."""
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
        """Returns accepted rows that had been seen before."""
        return self.rows - self.new_rows - self.quarantined_rows


@dataclass(frozen=True)
class Coverage:
    """How much of a group's rows in reach was seen; None where the responses do not tell yet.

    Attributes:
        share: Of the rows in reach, with its 95 % interval from low to high.
        distinct_rows: Different rows seen.
        estimated_rows: Rows in reach, by how far the responses overlap.
    """

    source: str
    group: int
    requests: int
    distinct_rows: int
    estimated_rows: int | None
    estimated_rows_low: int | None
    estimated_rows_high: int | None
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class LiveScore:
    """How good the champion of the time was on one landing, before anything was learned from it."""

    fetched_at: datetime
    version: int
    rows: int
    right_rows: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Progress:
    """Everything that the overview shows of the lake.

    Attributes:
        published: The pointer that it was read at.
        totals: All batches together.
        batches: The newest ones, in the order in which they came.
        coverage: One entry a group.
        live: The newest landings that a champion was asked about, oldest first.
    """

    published: Publication
    totals: Totals
    batches: tuple[Batch, ...]
    coverage: tuple[Coverage, ...]
    live: tuple[LiveScore, ...]


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs=KEY)
def progress(settings: LakeSettings, published: Publication) -> Progress:
    """Returns the collection so far, at the pointer."""
    totals = Totals(**read(settings, published.snapshot_id, TOTALS)[0])
    newest = read(settings, published.snapshot_id, BATCHES, [BATCHES_SHOWN])
    groups = read(settings, published.snapshot_id, COVERAGE)
    return Progress(
        published,
        totals,
        tuple(Batch(**row) for row in reversed(newest)),
        tuple(Coverage(**row) for row in groups),
        tuple(live_scores(settings, published)),
    )


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs=KEY)
def live_scores(settings: LakeSettings, published: Publication) -> list[LiveScore]:
    """Returns the newest landings that a champion was asked about, oldest first; none in an older lake."""
    rows = read_since(settings, published.snapshot_id, LIVE, LIVE_SHOWN, LIVE_SCORES)
    return [LiveScore(**row) for row in reversed(rows)]


def live_accuracy(scores: Sequence[LiveScore]) -> float | None:
    """Returns the share of right answers of the version that was asked last; None where none was asked."""
    newest = [score for score in scores if score.version == scores[-1].version]
    rows = sum(score.rows for score in newest)
    return sum(score.right_rows for score in newest) / rows if rows else None
