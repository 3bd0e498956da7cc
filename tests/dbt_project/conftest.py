"""One lake that three builds have grown, the last with a landing that arrived late."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.dbt import build
from lake.catalog.connection import connect
from lake.bronze.landings import Landing
from lake.settings import LakeSettings
from tests.lake.landed import TABLES, Row, lake_in, land, sample, spoiled, survey_rows


@dataclass(frozen=True)
class Grown:
    """The lake, and what was landed in it."""

    lake: LakeSettings
    state: Path
    landings: dict[str, Landing]
    rows: dict[str, list[Row]]
    faults: dict[int, list[str]]


@pytest.fixture(scope="session")
def slice_of_survey(survey: Path) -> list[Row]:
    """The slice that the source samples from; two responses of half of it share many rows."""
    return survey_rows(survey, 1_200)


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory, slice_of_survey: list[Row]) -> Grown:
    # A folder's name like this one is a column for a reader that looks for such partitions.
    folder = tmp_path_factory.mktemp("grown") / "group_number=7" / "it's"
    folder.mkdir(parents=True)
    lake, state = lake_in(folder), folder / "dbt"
    dirty, faults = _dirty(sample(slice_of_survey, 600, seed=2))
    rows = {
        "first": sample(slice_of_survey, 600, seed=1),
        "dirty": dirty,
        "without rows": [],
        "late": sample(slice_of_survey, 600, seed=3),
    }
    build(lake, state=state)  # nothing has been landed yet
    landings = {"first": land(lake, rows["first"], minute=10, batch=2)}
    build(lake, state=state)
    landings["dirty"] = land(lake, rows["dirty"], minute=15, batch=3)
    landings["without rows"] = land(lake, rows["without rows"], minute=16, batch=3)
    build(lake, state=state)
    landings["late"] = land(lake, rows["late"], minute=5, batch=1)
    build(lake, state=state)
    return Grown(lake, state, landings, rows, faults)


def select(lake: LakeSettings, query: str) -> list[tuple[object, ...]]:
    """What a query gives at the newest snapshot."""
    with connect(lake) as connection:
        return connection.execute(query).fetchall()


def contents(lake: LakeSettings) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that lasts, in an order of its own.

    What a response was compared with when it came is history, and no part of what bronze says.
    """
    history = "exclude (psi, ks_distance, reference_snapshot_id)"
    with connect(lake) as connection:
        return {
            table: connection.execute(
                f"with t as (select * {history if 'profiles' in table else ''} from {table}) "
                "select sha256(t::varchar) from t order by all"
            ).fetchall()
            for table in TABLES
        }


def _dirty(rows: list[Row]) -> tuple[list[Row], dict[int, list[str]]]:
    """A response with every fault, each at a place of its own, and one row twice in two spellings."""
    spoil: dict[int, dict[str, str]] = {
        3: {"Slope": "110"},
        10: {"Slope": "2.7"},
        11: {"Slope": "99999999999999999999"},
        20: {"Horizontal_Distance_To_Hydrology": ""},
        30: {"Soil_Type": "C9999"},
        31: {"Soil_Type": "c2702"},
        40: {"Cover_Type": "7", "Aspect": "north"},
        50: {"Wilderness_Area": "Rawah'; drop table landings; --"},
    }
    faults = {
        3: ["out_of_range:Slope"],
        10: ["not_an_integer:Slope"],
        11: ["out_of_range:Slope"],
        20: ["missing:Horizontal_Distance_To_Hydrology"],
        30: ["not_allowed:Soil_Type"],
        31: ["not_allowed:Soil_Type"],
        40: ["not_an_integer:Aspect", "out_of_range:Cover_Type"],
        50: ["not_allowed:Wilderness_Area"],
    }
    dirty = [spoiled(row, **spoil.get(position, {})) for position, row in enumerate(rows)]
    return [*dirty, spoiled(dirty[0], Elevation="0" + dirty[0][0])], faults
