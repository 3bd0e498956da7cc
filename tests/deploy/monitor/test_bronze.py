"""What lands, what does not land any more, what is dated in the future, what is held back."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.stack_settings import StackSettings
from deploy.monitor import bronze
from deploy.monitor.bronze import BronzeCheck
from lake.bronze import landings
from lake.bronze.events import Event, record
from lake.bronze.held import hold, release
from lake.bronze.landings import Provenance, keep_raw, land_rows
from lake.objects import open_objects
from lake.settings import LakeSettings
from source.settings import SourceSettings
from tests.deploy.monitor.looking import NOW, monitor_settings, trips
from tests.lake.landed import lake_in

GROUPS = {"name": "survey", "groups": (1, 2)}
DAY = timedelta(days=1)


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return lake_in(tmp_path)


def land(lake: LakeSettings, at: datetime, group: int = 1) -> str:
    """Lands a response without rows that was fetched then."""
    body = json.dumps({"group_number": group, "batch_number": 1, "data": [], "at": at.isoformat()}).encode()
    raw = keep_raw(open_objects(lake), body, Provenance("survey", group, at, "r", "http://x", "1"))
    return land_rows(open_objects(lake), raw, 1, []).landing_id


def look(lake: LakeSettings, folder: Path, started_at: datetime = NOW - DAY, **source: Any) -> BronzeCheck:
    sources = [SourceSettings(_env_file=None, **(GROUPS | source))]
    stack = StackSettings(_env_file=None, home=folder)
    return BronzeCheck(open_objects(lake), sources, stack, monitor_settings(folder), started_at)


def test_the_key_is_spelled_as_bronze_spells_it() -> None:
    assert bronze.ROWS == landings.ROWS


def test_a_group_that_nothing_lands_of_is_stale_and_the_other_is_not(
    lake: LakeSettings, tmp_path: Path
) -> None:
    land(lake, NOW - timedelta(minutes=14), group=1)
    land(lake, NOW - timedelta(minutes=16), group=2)
    (found,) = trips(look(lake, tmp_path), "LandingStale")
    assert found.subject == "survey/group=02"
    assert "since 2026-11-22 12:44 UTC" in found.text


def test_what_lands_again_is_well_again_and_what_never_landed_is_stale(
    lake: LakeSettings, tmp_path: Path
) -> None:
    looking = look(lake, tmp_path, groups=(1,))
    (found,) = trips(looking, "LandingStale")
    assert "nothing has landed yet" in found.text
    land(lake, NOW)
    assert trips(looking, "LandingStale", NOW + timedelta(seconds=30)) == []
    assert len(trips(looking, "LandingStale", NOW + timedelta(minutes=16))) == 1


def test_who_has_just_started_waits_a_while_and_ends_no_alert_meanwhile(
    lake: LakeSettings, tmp_path: Path
) -> None:
    found = look(lake, tmp_path, started_at=NOW - timedelta(minutes=1)).check(NOW)
    assert found.findings == ()
    assert found.undecided == {"LandingStale"}


def test_a_source_at_its_end_is_not_stale_as_long_as_somebody_asks_it(
    lake: LakeSettings, tmp_path: Path
) -> None:
    land(lake, NOW - DAY)
    ended = Event("end_of_data", "survey", 1, NOW - timedelta(minutes=70), "http://x", "no more")
    record(open_objects(lake), ended)
    looking = look(lake, tmp_path, groups=(1,))
    assert trips(looking, "LandingStale") == []
    (found,) = trips(looking, "LandingStale", NOW + timedelta(minutes=10))
    assert "nobody has asked" in found.text


def test_the_last_failure_of_the_source_is_told_with_it(lake: LakeSettings, tmp_path: Path) -> None:
    land(lake, NOW - DAY)
    failed = Event(
        "failure", "survey", 1, NOW - timedelta(minutes=2), "http://x", "503\x1b[2J from the source"
    )
    record(open_objects(lake), failed)
    (found,) = trips(look(lake, tmp_path, groups=(1,)), "LandingStale")
    assert "503" in found.text
    assert "\x1b" not in found.text


@pytest.mark.parametrize("ahead", [timedelta(minutes=2), timedelta(days=3650)])
def test_a_landing_from_the_future_is_told_and_hides_no_standstill(
    lake: LakeSettings, tmp_path: Path, ahead: timedelta
) -> None:
    land(lake, NOW - DAY)
    ahead_of_us = land(lake, NOW + ahead)
    found = look(lake, tmp_path, groups=(1,)).check(NOW)
    assert {(one.kind, one.subject) for one in found.findings} == {
        ("LandingFromFuture", ahead_of_us),
        ("LandingStale", "survey/group=01"),
    }


def test_a_landing_from_the_future_is_over_as_soon_as_its_time_has_come(
    lake: LakeSettings, tmp_path: Path
) -> None:
    land(lake, NOW + timedelta(minutes=2))
    land(lake, NOW)
    looking = look(lake, tmp_path, groups=(1,))
    assert len(trips(looking, "LandingFromFuture", NOW)) == 1
    assert trips(looking, "LandingFromFuture", NOW + timedelta(minutes=2)) == []


def test_a_landing_is_held_back_until_a_person_lets_it_in(lake: LakeSettings, tmp_path: Path) -> None:
    landing = land(lake, NOW)
    hold(open_objects(lake), landing, ["psi=1.5"])
    looking = look(lake, tmp_path, groups=(1,))
    (found,) = trips(looking, "LandingHeld")
    assert found.subject == landing
    release(open_objects(lake), landing)
    assert trips(looking, "LandingHeld") == []


def test_what_is_no_landing_blinds_nobody(lake: LakeSettings, tmp_path: Path) -> None:
    land(lake, NOW - DAY)
    folder = Path(lake.root) / "bronze" / "rows" / "survey" / "group=01" / "date=2026-11-22"
    folder.mkdir(parents=True)
    for name in ("README.txt", "20261322T990000000000Z-x.parquet", "x.parquet"):
        (folder / name).write_bytes(b"")
    assert len(trips(look(lake, tmp_path, groups=(1,)), "LandingStale")) == 1


def test_between_two_whole_listings_the_newest_days_are_enough(lake: LakeSettings, tmp_path: Path) -> None:
    land(lake, NOW - timedelta(minutes=5))
    looking = look(lake, tmp_path, groups=(1,))
    looking.check(NOW)
    newest = NOW + timedelta(minutes=1)
    land(lake, newest)
    looking.check(newest)
    assert looking.newest == {("survey", 1): newest}
