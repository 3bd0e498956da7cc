"""Responses as other editions of the data have them: nothing fails, and each row is where it belongs."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from contracts.covertype import covertype
from expectations.audit import audit
from expectations.settings import AlertSettings, AuditSettings
from lake.bronze.held import held
from lake.objects import open_objects
from lake.publish.audits import recorded_audits
from lake.publish.pointer import latest
from lake.read.query import run_query
from lake.settings import LakeSettings
from pipeline.dbt import build
from pipeline.refine import refine
from tests.dbt_project.conftest import contents
from tests.lake.landed import Row, accepted_in_raw, lake_in, land, spoiled, survey_rows

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore::ResourceWarning")]

ROWS = 2_000
# As in the edition of 116,203 rows, of which 9,000 have no distance and five an impossible slope.
EMPTY, STEEP, UNSEEN = ROWS * 9_000 // 116_203, 5, ("C7744", "C2701", "C6732", "C9999")
DISTANCE, SLOPE, SOIL = "Horizontal_Distance_To_Hydrology", "Slope", "Soil_Type"
WANTED = {
    f"missing:{DISTANCE}": EMPTY,
    f"out_of_range:{SLOPE}": STEEP,
    f"not_allowed:{SOIL}": len(UNSEEN),
}


def dirty(rows: list[Row]) -> list[Row]:
    """Google's edition of these rows, shuffled."""
    faults = [{DISTANCE: ""}] * EMPTY + [{SLOPE: "110"}] * STEEP + [{SOIL: code} for code in UNSEEN]
    faults += [{}] * (len(rows) - len(faults))
    random.Random(1).shuffle(faults)
    return [spoiled(row, **fault) for row, fault in zip(rows, faults, strict=True)]


def high_up(rows: list[Row]) -> list[Row]:
    """The highest of these rows: another forest than the one that was seen before."""
    elevation = [column.name for column in covertype().columns].index("elevation_m")
    return sorted(rows, key=lambda row: -int(row[elevation]))[:ROWS]


def test_a_dirty_and_a_drifted_response_are_refined_and_counted(survey: Path, tmp_path: Path) -> None:
    lake, state, known = lake_in(tmp_path), tmp_path / "dbt", survey_rows(survey, 8 * ROWS)
    limits = AuditSettings(folder=tmp_path / "audits", freshness_s=1e9, clock_skew_s=1e9, expected_rows=ROWS)
    land(lake, known[:ROWS], minute=5)
    refine(lake, limits, state=state)
    google = land(lake, dirty(known[ROWS : 2 * ROWS]), minute=10)
    land(lake, high_up(known[2 * ROWS :]), minute=15)
    refined = refine(lake, limits, state=state)

    assert counted(lake, google.landing_id) == WANTED
    assert refined.quarantined_rows == sum(WANTED.values())
    assert refined.landed_rows == 2 * ROWS
    assert held(open_objects(lake)) == []
    publication = latest(lake)
    assert publication is not None
    assert publication.observations == len(set(accepted_in_raw(lake)))
    assert any("psi" in warning and "elevation_m" in warning for warning in refined.warnings)
    assert all(google.landing_id not in warning for warning in refined.warnings)
    (_, last), *_ = recorded_audits(lake, 5)
    assert (last.is_passed, last.warnings) == (True, refined.warnings)

    grown = contents(lake)
    build(lake, state=state, is_full_refresh=True)
    assert contents(lake) == grown
    assert audit(lake, limits, AlertSettings(_env_file=None, urls=None)).expectations > 0


def counted(lake: LakeSettings, landing_id: str) -> dict[str, int]:
    query = f"select unnest(reasons) as reason from silver.quarantine where landing_id = '{landing_id}'"
    return dict(Counter(str(reason) for (reason,) in run_query(query, lake=lake).rows))
