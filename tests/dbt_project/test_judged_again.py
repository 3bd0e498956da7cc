"""Landings that are judged a second time: held back, released, after a correction of the contract."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.dbt import build
from lake.dbt import environment as dbt_environment
from lake.bronze.held import hold, release
from lake.bronze.landings import Landing
from lake.objects import open_objects
from lake.settings import LakeSettings
from tests.dbt_project.conftest import contents, select
from tests.lake.landed import Row, lake_in, land, sample, spoiled


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return lake_in(tmp_path)


@pytest.fixture
def landings(lake: LakeSettings, slice_of_survey: list[Row], tmp_path: Path) -> list[Landing]:
    """Three responses that share rows, one row of the second with a slope that no contract has yet."""
    rows = [sample(slice_of_survey, 500, seed=seed) for seed in (1, 2, 3)]
    rows[1][7] = spoiled(rows[1][7], Slope="110")
    found = [land(lake, part, minute=5 * n, batch=n) for n, part in enumerate(rows, start=1)]
    build(lake, state=tmp_path / "dbt")
    return found


def counts(lake: LakeSettings) -> dict[str, tuple[object, ...]]:
    rows = select(
        lake,
        "select landing_id, landed_rows, accepted_rows, quarantined_rows from silver.landings order by all",
    )
    return {str(landing_id): tuple(numbers) for landing_id, *numbers in rows}


@pytest.mark.long
def test_a_landing_that_is_held_back_is_in_quarantine_whole_until_it_is_released(
    lake: LakeSettings, landings: list[Landing], tmp_path: Path
) -> None:
    before, held = contents(lake), landings[0].landing_id  # the one in which most rows were seen first
    hold(open_objects(lake), held, ["a finding"])
    build(lake, state=tmp_path / "dbt")
    assert counts(lake)[held] == (500, 0, 500)
    assert select(lake, f"select distinct reasons from silver.quarantine where landing_id = '{held}'") == [
        (["held_back"],)
    ]
    for table, column in (
        ("silver.sightings", "landing_id"),
        ("silver.observations", "first_landing_id"),
        ("gold.training_set", "first_landing_id"),
    ):
        assert select(lake, f"select count(*) from {table} where {column} = '{held}'") == [(0,)]
    # What it shares with the others is still there, seen first in one of them.
    assert select(lake, "select count(distinct row_id) from silver.sightings") == select(
        lake, "select count(*) from gold.training_set"
    )
    without = contents(lake)
    build(lake, state=tmp_path / "dbt", is_full_refresh=True)
    assert contents(lake) == without

    release(open_objects(lake), held)
    build(lake, state=tmp_path / "dbt")
    assert contents(lake) == before


@pytest.mark.longest
def test_quarantined_rows_are_judged_again_by_a_corrected_contract_when_asked_to(
    lake: LakeSettings, landings: list[Landing], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt = landings[1].landing_id
    assert counts(lake)[spoilt] == (500, 499, 1)
    before = contents(lake)
    corrected = tmp_path / "dbt_project"
    shutil.copytree(dbt_environment.PROJECT, corrected, ignore=shutil.ignore_patterns("__pycache__"))
    contract = corrected / "macros" / "contract.sql"
    slope = '"name": "slope_deg", "kind": "integer", "unit": "deg", "minimum": 0, "maximum": '
    assert slope + "90" in contract.read_text()
    contract.write_text(contract.read_text().replace(slope + "90", slope + "120"))
    monkeypatch.setattr(dbt_environment, "PROJECT", corrected)

    build(lake, state=tmp_path / "dbt")
    assert contents(lake) == before
    build(lake, state=tmp_path / "dbt", is_requarantine=True)
    assert counts(lake)[spoilt] == (500, 500, 0)
    assert select(lake, "select count(*) from silver.observations where slope_deg = 110") == [(1,)]
    assert select(lake, "select count(*) from gold.training_set where slope_deg = 110") == [(1,)]
    healed = contents(lake)
    build(lake, state=tmp_path / "dbt", is_full_refresh=True)
    assert contents(lake) == healed
