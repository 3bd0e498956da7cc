"""Predictions in the log, at the published pointer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from contracts.covertype import covertype
from lake.publish.pointer import Publication
from lake.settings import LakeSettings
from ui.reading.pointer import KEY, Row, has, read

TABLE = "gold.predictions"
SHOWN = 20
# A request's name does not say when it was: the newest files are looked at first, and none that is older.
LOOK_BACK = tuple(timedelta(days=days) for days in (1, 7, 30))

BY_REQUEST = """
select * from gold.predictions
where request_id = ? and predicted_at >= ?
order by position
limit ?
"""
NEWEST = """
select request_id, max(predicted_at) as predicted_at, count(*) as rows, any_value(model_version) as version
from gold.predictions
where predicted_at >= ?
group by request_id
order by predicted_at desc
limit ?
"""


@dataclass(frozen=True)
class Logged:
    """One answered row of a request.

    Attributes:
        features: The cell that was asked about.
        predicted: The class, as a position in the contract's list.
        probability: How sure the model was.
    """

    request_id: str
    predicted_at: datetime
    model_version: int
    features: dict[str, int | str]
    predicted: int
    probability: float


@dataclass(frozen=True)
class Asked:
    """A request by its name."""

    request_id: str
    predicted_at: datetime
    rows: int
    version: int


def logged(settings: LakeSettings, published: Publication, request_id: str) -> list[Logged]:
    """Returns the rows of a request of the last 30 days; none before the log is refined, or in a lake
    without one."""
    found = _widening(settings, published, BY_REQUEST, [request_id], 1)
    return [_logged(row) for row in found]


@st.cache_data(max_entries=4, show_spinner=False, hash_funcs=KEY)
def newest_requests(settings: LakeSettings, published: Publication) -> list[Asked]:
    """Returns the last requests, newest first."""
    return [Asked(**row) for row in _widening(settings, published, NEWEST, [], SHOWN)]


def _widening(
    settings: LakeSettings, published: Publication, query: str, parameters: list[Any], wanted: int
) -> list[Row]:
    if not has(settings, published.snapshot_id, TABLE):
        return []
    found: list[Row] = []
    for age in LOOK_BACK:
        found = read(settings, published.snapshot_id, query, [*parameters, datetime.now(UTC) - age, SHOWN])
        if len(found) >= wanted:
            break
    return found


def _logged(row: Row) -> Logged:
    return Logged(
        request_id=row["request_id"],
        predicted_at=row["predicted_at"],
        model_version=int(row["model_version"]),
        features={column.name: row[column.name] for column in covertype().features},
        predicted=int(row["predicted"]),
        probability=float(row["probability"]),
    )
