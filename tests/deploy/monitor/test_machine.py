"""A full disk, a full store, a clock that jumps, a backup that is too old."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.monitor.machine import BackupsCheck, ClockCheck, DisksCheck, StoreCheck
from tests.deploy.monitor.looking import NOW, Pages, monitor_settings, pages, trips

FULL = b"minio_cluster_capacity_usable_free_bytes 14\nminio_cluster_capacity_usable_total_bytes 100\n"
ROOMY = FULL.replace(b" 14", b" 16")


def test_a_disk_without_the_room_that_is_wanted_is_told_once(tmp_path: Path) -> None:
    folders = [tmp_path / "lake", tmp_path / "not" / "there", tmp_path]
    (found,) = trips(DisksCheck(folders, monitor_settings(tmp_path, disk_free_bytes=10**18)), "DiskFilling")
    assert "bytes are left" in found.text
    assert trips(DisksCheck(folders, monitor_settings(tmp_path, disk_free_bytes=0)), "DiskFilling") == []


def test_further_folders_are_named_with_commas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_DISKS", f"{tmp_path}, /dev/shm")
    found = trips(DisksCheck([], monitor_settings(tmp_path, disk_free_bytes=10**18)), "DiskFilling")
    assert {one.subject for one in found} == {str(tmp_path), "/dev/shm"}


def test_a_store_tells_of_its_room_as_minio_does(tmp_path: Path) -> None:
    found: Pages = {"/cluster": (200, FULL)}
    with pages(found) as url:
        look = StoreCheck(monitor_settings(tmp_path, store_metrics_url=f"{url}/cluster"))
        (filling,) = trips(look, "StoreFilling")
        assert "14% of its room" in filling.text
        found["/cluster"] = (200, ROOMY)
        assert trips(look, "StoreFilling") == []


@pytest.mark.parametrize("answer", [(404, b""), (403, b"denied"), (200, b""), (200, b"other 1\n")])
def test_a_store_that_tells_nothing_ends_no_alert(tmp_path: Path, answer: tuple[int, bytes]) -> None:
    with pages({"/cluster": answer}) as url:
        look = StoreCheck(monitor_settings(tmp_path, store_metrics_url=f"{url}/cluster"))
        assert look.check(NOW).undecided == {"StoreFilling"}
    assert look.check(NOW).undecided == {"StoreFilling"}  # by now nothing listens there


@pytest.mark.parametrize(
    ("jump", "words"), [(3600, "1:00:00 ahead"), (-3600, "1:00:00 back"), (10**8, "ahead")]
)
def test_a_clock_that_jumps_is_told_for_a_while(tmp_path: Path, jump: float, words: str) -> None:
    steady = [0.0]
    look = ClockCheck(monitor_settings(tmp_path, remember_s=100), lambda: steady[0])
    assert trips(look, "ClockJumped") == []
    steady[0] = 30
    (found,) = trips(look, "ClockJumped", NOW + timedelta(seconds=30 + jump))
    assert words in found.text
    steady[0] = 60
    assert len(trips(look, "ClockJumped", NOW + timedelta(seconds=60 + jump))) == 1
    steady[0] = 131
    assert trips(look, "ClockJumped", NOW + timedelta(seconds=131 + jump)) == []


def test_a_clock_that_goes_on_is_no_jump(tmp_path: Path) -> None:
    look = ClockCheck(monitor_settings(tmp_path, clock_skew_s=30))
    assert trips(look, "ClockJumped", datetime.now(UTC)) == []
    assert trips(look, "ClockJumped", datetime.now(UTC)) == []


def test_the_newest_backup_may_not_be_too_old_and_one_that_is_not_whole_is_none(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "half").mkdir(parents=True)
    look = BackupsCheck(monitor_settings(tmp_path, backups=kept, backup_age_s=86_400))
    (found,) = trips(look, "BackupOld")
    assert "There is none" in found.text
    for name, hours in (("monday", 50), ("tuesday", 26)):
        (kept / name).mkdir()
        (kept / name / "backup.json").write_text("{}")
        at = (NOW - timedelta(hours=hours)).timestamp()
        os.utime(kept / name / "backup.json", (at, at))
    (found,) = trips(look, "BackupOld")
    assert "2026-11-21 11:00" in found.text
    assert trips(look, "BackupOld", NOW - timedelta(hours=3)) == []


def test_without_a_folder_nobody_asks_for_backups(tmp_path: Path) -> None:
    assert trips(BackupsCheck(monitor_settings(tmp_path)), "BackupOld") == []
