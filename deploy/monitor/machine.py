"""Watches the machine: disk space, the store's capacity, clock jumps, the age of backups."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from contracts.plain_files import absolute
from deploy.monitor.check import CheckResult, Figure, Finding, check_result
from deploy.monitor.settings import MonitorSettings

STORE_FREE, STORE_TOTAL = (
    "minio_cluster_capacity_usable_free_bytes",
    "minio_cluster_capacity_usable_total_bytes",
)
LEAST_STORE_SHARE = 0.15
TIMEOUT_S = 5.0
# What is written last of a backup, or all that it is where it is encrypted: without it a folder is none.
SEALS = ("backup.json", "backup.tar.age")


class DisksCheck:
    """Each disk once, whatever lies on it."""

    name, kinds = "disks", ("DiskFilling",)

    def __init__(self, folders: Iterable[Path], settings: MonitorSettings) -> None:
        self._folders = [*folders, *settings.disks]
        self._least = settings.disk_free_bytes

    def check(self, _now: datetime) -> CheckResult:
        """See `Check`. Raises: OSError."""
        disks: dict[int, tuple[Path, int]] = {}
        for folder in map(_existing, self._folders):
            disks.setdefault(folder.stat().st_dev, (folder, shutil.disk_usage(folder).free))
        findings = [
            Finding(
                "DiskFilling",
                str(folder),
                f"Only {free:,} bytes are left at {folder}; {self._least:,} are wanted.",
            )
            for folder, free in disks.values()
            if free < self._least
        ]
        return check_result(
            findings, [Figure("canopy_disk_free_bytes", free, (str(at),)) for at, free in disks.values()]
        )


class StoreCheck:
    """The room in an object store that tells of it as MinIO does."""

    name, kinds = "store", ("StoreFilling",)

    def __init__(self, settings: MonitorSettings) -> None:
        self._url = settings.store_metrics_url

    def check(self, _now: datetime) -> CheckResult:
        """See `Check`. Where the store is away, or tells nothing, nothing is known."""
        try:
            answer = httpx.get(self._url, timeout=TIMEOUT_S, trust_env=False) if self._url else None
        except httpx.TransportError:
            answer = None
        if answer is None or not answer.is_success:
            return check_result([], [], self.kinds)
        families = text_string_to_metric_families(answer.text)
        values = {sample.name: sample.value for family in families for sample in family.samples}
        free, total = values.get(STORE_FREE), values.get(STORE_TOTAL)
        if not total or free is None:
            return check_result([], [], self.kinds)
        text = f"The object store has {free / total:.0%} of its room left."
        return check_result(
            [Finding("StoreFilling", "store", text)] if free / total < LEAST_STORE_SHARE else []
        )


class ClockCheck:
    """The wall clock against one that nobody can set."""

    name, kinds = "clock", ("ClockJumped",)

    def __init__(self, settings: MonitorSettings, steady_s: Callable[[], float] | None = None) -> None:
        self._skew_s = settings.clock_skew_s
        self._remember_s = settings.remember_s
        self._steady_s = steady_s or _steady_s
        self._before: tuple[datetime, float] | None = None
        self._jump: tuple[float, float, datetime] | None = None

    def check(self, now: datetime) -> CheckResult:
        """See `Check`."""
        steady_s = self._steady_s()
        if self._before:
            at, earlier_s = self._before
            jump_s = (now - at).total_seconds() - (steady_s - earlier_s)
            if abs(jump_s) > self._skew_s:
                self._jump = jump_s, steady_s, at
        self._before = now, steady_s
        if self._jump is None or steady_s - self._jump[1] > self._remember_s:
            return check_result([])
        jump_s, _, at = self._jump
        where = "ahead" if jump_s > 0 else "back"
        by = timedelta(seconds=round(abs(jump_s)))
        text = f"The clock has jumped {by} {where}, from {at:%Y-%m-%d %H:%M:%S} UTC."
        return check_result(
            [Finding("ClockJumped", "clock", text)], [Figure("canopy_clock_jump_seconds", jump_s)]
        )


class BackupsCheck:
    """The age of the newest backup in the folder that they are written into."""

    name, kinds = "backups", ("BackupOld",)

    def __init__(self, settings: MonitorSettings) -> None:
        self._folder = settings.backups
        self._oldest = timedelta(seconds=settings.backup_age_s)

    def check(self, now: datetime) -> CheckResult:
        """See `Check`. Raises: OSError if the folder cannot be read."""
        if self._folder is None:
            return check_result([])
        made = [file.stat().st_mtime for folder in self._folder.iterdir() for file in _seals(folder)]
        newest = datetime.fromtimestamp(max(made), UTC) if made else None
        figures = [Figure("canopy_newest_backup_timestamp_seconds", newest.timestamp())] if newest else []
        if newest and now - newest <= self._oldest:
            return check_result([], figures)
        what = f"The newest is of {newest:%Y-%m-%d %H:%M} UTC" if newest else "There is none"
        return check_result(
            [Finding("BackupOld", "backup", f"{what} in {self._folder}. `canopy backup` makes one.")], figures
        )


def _seals(folder: Path) -> list[Path]:
    """Returns what shows that a backup is whole; a folder that may not be entered is none."""
    with suppress(PermissionError):
        return [folder / name for name in SEALS if (folder / name).is_file()]
    return []


def _existing(folder: Path) -> Path:
    """Returns the folder, or what it will lie in."""
    whole = absolute(folder)
    return next(path for path in (whole, *whole.parents) if path.exists())


def _steady_s() -> float:
    """Returns seconds of a clock that goes on while the machine sleeps, where it has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
