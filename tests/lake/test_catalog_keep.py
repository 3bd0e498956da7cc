"""Copies of the catalog are proven, few, and of use when it is damaged."""

from __future__ import annotations

import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.errors import CatalogUnusable
from lake.catalog.connection import connect
from lake.catalog.keep import FOLDER, keep_catalog
from lake.read.query import run_query
from lake.settings import LakeSettings
from tests.lake.landed import NOON, lake_in
from tests.lake.published import fill_with_numbers


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return fill_with_numbers(lake_in(tmp_path))


def test_a_damaged_catalog_is_replaced_by_the_newest_copy(lake: LakeSettings) -> None:
    with connect(lake, write=True):  # also while somebody writes
        kept = keep_catalog(lake)
    assert kept is not None
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    Path(lake.catalog_target).write_bytes(b"no catalog" * 100)
    for end in ("-wal", "-shm"):
        Path(lake.catalog_target + end).unlink(missing_ok=True)
    shutil.copyfile(kept, lake.catalog_target)
    assert run_query("select count(*) from gold.numbers", lake=lake).rows == [(5,)]


def test_few_copies_are_kept_and_nothing_else_is_removed(lake: LakeSettings, tmp_path: Path) -> None:
    few = lake.model_copy(update={"keep_catalogs": 2})
    for day in range(4):
        keep_catalog(few, NOON + timedelta(days=day))
        (tmp_path / FOLDER / "a person's own.sqlite").touch()
    assert sorted(file.name for file in (tmp_path / FOLDER).iterdir()) == [
        "a person's own.sqlite",
        "catalog-20261124T120000Z.sqlite",
        "catalog-20261125T120000Z.sqlite",
    ]


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_copies_of_a_clock_that_was_ahead_do_not_take_the_new_one_s_place(
    lake: LakeSettings, keep: int
) -> None:
    few = lake.model_copy(update={"keep_catalogs": keep})
    for year in (2035, 2036, 2037):
        keep_catalog(few, datetime(year, 1, 1, tzinfo=UTC))
    for _ in range(2):
        kept = keep_catalog(few, datetime(2026, 11, 28, 3, tzinfo=UTC))
        assert kept is not None
        assert kept.exists()
        assert len([*kept.parent.iterdir()]) == keep


@pytest.mark.parametrize("damage", ["cut", "other", "empty", "holes"])
def test_a_damaged_catalog_takes_no_good_copys_place(damage: str, lake: LakeSettings, tmp_path: Path) -> None:
    kept = keep_catalog(lake, NOON)
    catalog = Path(lake.catalog_target)
    whole = catalog.read_bytes()
    middle = len(whole) // 2
    catalog.write_bytes(
        {
            "cut": whole[: middle // 4096 * 4096 + 100],
            "other": b"no catalog" * 1_000,
            "empty": b"",
            "holes": whole[:8192] + bytes(len(whole) - 8192),
        }[damage]
    )
    for end in ("-wal", "-shm"):
        Path(lake.catalog_target + end).unlink(missing_ok=True)
    with pytest.raises(CatalogUnusable, match=r"could not be copied|it is empty"):
        keep_catalog(lake.model_copy(update={"keep_catalogs": 1}))
    assert list((tmp_path / FOLDER).iterdir()) == [kept]


def test_where_there_is_no_sqlite_catalog_nothing_is_made(tmp_path: Path) -> None:
    assert keep_catalog(lake_in(tmp_path)) is None
    assert keep_catalog(LakeSettings(catalog="postgres:dbname=none", _env_file=None)) is None
    assert list(tmp_path.iterdir()) == []
