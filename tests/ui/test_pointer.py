"""Nothing that the pages show reads a whole table that grows with the landings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lake.settings import LakeSettings
from tests.ui.long_lake import BUILDS, make_long_lake
from ui.reading import cells, gold, landings, pointer, quality
from ui.reading.pointer import publication

# The tables that grow with the landings.
GROWING = (
    "silver.landings",
    "silver.quarantine",
    "gold.quality_history",
    "gold.live_scores",
    "gold.batch_profiles",
    "gold.training_set",
)
READS: dict[str, Callable[[LakeSettings], object]] = {
    "progress": lambda lake: gold.progress(lake, publication(lake)),
    "live scores": lambda lake: gold.live_scores(lake, publication(lake)),
    "presets": lambda lake: cells.presets(lake, publication(lake)),
    "ranges": lambda lake: cells.ranges(lake, publication(lake)),
    "drift": lambda lake: quality.drift(lake, publication(lake)),
    "quarantine": lambda lake: quarantine(lake),
    "landings": lambda lake: page_back(lake),
}


@pytest.fixture(scope="module")
def long_lake(tmp_path_factory: pytest.TempPathFactory) -> LakeSettings:
    return make_long_lake(tmp_path_factory.mktemp("long"))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What is asked of the lake, and how many of a table's files were opened for it."""
    asked: list[tuple[str, int]] = []
    rows = pointer._rows

    def counting(connection: Any, query: str, parameters: Sequence[Any]) -> list[pointer.Row]:
        if any(table in query for table in GROWING):
            plan = rows(connection, f"explain (analyze, format json) {query}", parameters)
            asked.append((query, files_read(json.loads(plan[0]["explain_value"]))))
        return rows(connection, query, parameters)

    monkeypatch.setattr(pointer, "_rows", counting)
    return asked


@pytest.mark.parametrize("name", READS)
def test_a_read_looks_at_the_newest_files_only(
    long_lake: LakeSettings, opened: list[tuple[str, int]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "ROWS_READ", 500)
    for cached in (gold.progress, gold.live_scores, cells.presets, cells.ranges, quality.drift):
        cached.clear()
    READS[name](long_lake)
    assert opened
    for query, files in opened:
        assert 0 < files <= BUILDS / 5, query


def quarantine(lake: LakeSettings) -> None:
    """The newest landings with rows in quarantine, and those rows."""
    affected = quality.affected_landings(lake, publication(lake))
    assert len(affected) == quality.LANDINGS_SHOWN
    assert len(quality.quarantined_rows(lake, publication(lake), affected)) == quality.LANDINGS_SHOWN


def page_back(lake: LakeSettings) -> None:
    """Two pages of landings, then one landing of the first."""
    snapshot_id = publication(lake).snapshot_id
    first = landings.landings_before(lake, snapshot_id)
    second = landings.landings_before(lake, snapshot_id, first[-1].landing_id)
    assert len({item.landing_id for item in (*first, *second)}) == 2 * landings.PAGE
    assert landings.landing(lake, snapshot_id, first[3].landing_id) == first[3]


def files_read(plan: Any) -> int:
    """The most files that one scan of a plan has opened."""
    nodes = plan if isinstance(plan, list) else [plan]
    own = [int((node.get("extra_info") or {}).get("Total Files Read", 0)) for node in nodes]
    return max([0, *own, *(files_read(node.get("children", [])) for node in nodes)])
