"""One lake that was built once; a test that spoils it works on a copy."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from expectations.settings import AlertSettings, AuditSettings
from lake.catalog.connection import connect
from lake.settings import LakeSettings
from pipeline.dbt import build
from tests.lake.landed import lake_in, land, sample, spoiled, survey_rows


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, survey: Path) -> Path:
    """A folder with a lake of two landings; two of the second one's rows are in quarantine."""
    folder = tmp_path_factory.mktemp("built")
    rows = survey_rows(survey, 3_000)
    land(lake_in(folder), sample(rows, 1_000, seed=1), minute=5)
    dirty = sample(rows, 1_000, seed=2)
    dirty[:2] = [spoiled(row, Slope="110") for row in dirty[:2]]
    land(lake_in(folder), dirty, minute=10)
    build(lake_in(folder), state=folder / "dbt")
    return folder


@pytest.fixture
def lake(built: Path, tmp_path: Path) -> LakeSettings:
    """A copy of that lake. DuckLake knows its folder by name, so the catalog learns the new one."""
    copy = lake_in(tmp_path)
    shutil.copytree(built / "lake", tmp_path / "lake")
    source, target = sqlite3.connect(built / "catalog.sqlite"), sqlite3.connect(copy.catalog_target)
    source.backup(target)
    target.execute("pragma journal_mode = wal")
    target.execute(
        "update ducklake_metadata set value = ? where key = 'data_path'", [f"{copy.root}/ducklake/"]
    )
    target.commit()
    source.close()
    target.close()
    return copy


@pytest.fixture
def limits(tmp_path: Path) -> AuditSettings:
    """The landings lie on one day of 2026, whenever that is seen from now."""
    return AuditSettings(folder=tmp_path / "audits", freshness_s=1e9, clock_skew_s=1e9)


@pytest.fixture
def nobody() -> AlertSettings:
    """Whoever runs the tests is not alerted."""
    return AlertSettings(_env_file=None, urls=None)


def write(lake: LakeSettings, statement: str) -> None:
    with connect(lake, write=True) as writer:
        writer.execute(statement)
