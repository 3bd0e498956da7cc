"""Real cells to start a prediction from, and the range that each column has in the collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from contracts.covertype import covertype
from contracts.prediction import example_row
from lake.publish.pointer import Publication
from lake.settings import LakeSettings
from ui.reading.pointer import KEY, read, read_since

# Enough for all seven cover types; reading ends there, however large the table is.
ROWS_READ = 20_000
# Three cells a cover type out of the held-out side: at the quartiles of its elevations.
PRESETS = """
with held_out as (
    select {columns}, row_id from gold.training_set where split = 'test' limit {limit}
),
ranked as (
    select
        {columns},
        row_number() over (partition by cover_type order by elevation_m, row_id) as position,
        count(*) over (partition by cover_type) as cells,
    from held_out
)
select {columns} from ranked
where position in ((cells + 3) // 4, (cells + 1) // 2, (3 * cells + 3) // 4)
order by cover_type, position
"""
RANGES = """
select feature, min(minimum) as low, max(maximum) as high
from gold.batch_profiles
where fetched_at >= ? and minimum is not null
group by feature
limit ?
"""
PROFILES_READ = 13 * 60


@dataclass(frozen=True)
class Cell:
    """A real cell: its twelve features and what the survey found there."""

    features: Mapping[str, int | str]
    cover_type: int


def example_cell() -> Cell:
    """Returns the first cell of the published survey, an aspen stand; it needs no lake.

    Source: https://archive.ics.uci.edu/dataset/31/covertype
    """
    return Cell(example_row(covertype()), cover_type=4)


@st.cache_data(max_entries=4, show_spinner=False, hash_funcs=KEY)
def presets(settings: LakeSettings, published: Publication) -> list[Cell]:
    """Returns up to three held-out cells of each cover type: low, middle and high."""
    names = [column.name for column in covertype().features]
    label = covertype().label.name
    query = PRESETS.format(columns=", ".join([*names, label]), limit=ROWS_READ)
    rows = [tuple(row.values()) for row in read(settings, published.snapshot_id, query)]
    return [Cell(dict(zip(names, row, strict=False)), int(row[-1])) for row in dict.fromkeys(rows)]


@st.cache_data(max_entries=4, show_spinner=False, hash_funcs=KEY)
def ranges(settings: LakeSettings, published: Publication) -> dict[str, tuple[int, int]]:
    """Returns the lowest and highest value of each column in the newest landings, by name."""
    rows = read_since(settings, published.snapshot_id, "gold.batch_profiles", PROFILES_READ, RANGES)
    return {row["feature"]: (int(row["low"]), int(row["high"])) for row in rows}
