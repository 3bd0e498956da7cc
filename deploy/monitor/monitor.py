"""Every check by itself, then the book, then whoever is to be told."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from contracts.errors import CanopyError
from contracts.stack_settings import StackSettings
from deploy.monitor.asides import AsidesCheck, quarantine_folders
from deploy.monitor.book import Active, Book
from deploy.monitor.bronze import BronzeCheck
from deploy.monitor.check import Check, CheckResult, Figure, Finding, check_result
from deploy.monitor.figures import LOOKED_AT, page_of
from deploy.monitor.machine import BackupsCheck, ClockCheck, DisksCheck, StoreCheck
from deploy.monitor.parts import PartsCheck
from deploy.monitor.predictions import PredictionsCheck
from deploy.monitor.runs import RunsCheck
from deploy.monitor.settings import MonitorSettings
from deploy.monitor.tables import TablesCheck
from deploy.monitor.telling import tell
from expectations.settings import AlertSettings
from lake.objects import open_objects
from lake.settings import LakeSettings
from serving.settings import ServingSettings
from source.settings import sources

logger = logging.getLogger(__name__)


class Monitor:
    """Everything that is looked at, and what came of it.

    Attributes:
        active: What is wrong now.
        page: Its numbers, for Prometheus.
        looked_at: When it has looked last.
    """

    def __init__(self, checks: Sequence[Check], settings: MonitorSettings, alerts: AlertSettings) -> None:
        self.active: list[Active] = []
        self.page = b""
        self.looked_at: datetime | None = None
        self._checks = checks
        self._settings = settings
        self._alerts = alerts
        self._book = Book(settings.folder)
        self._untaken: list[Finding] = []

    def run_checks(self, now: datetime | None = None) -> None:
        """Runs each check once; whatever one meets, the others take place."""
        now = now or datetime.now(UTC)
        began = time.monotonic()
        every = [_safely(check, now) for check in self._checks]
        findings = [*(finding for one in every for finding in one.findings), *self._untaken]
        self._book.note(findings, {kind for one in every for kind in one.undecided}, now)
        if self._book.untold:
            self._book.save(now)  # before it is told: whoever is told can look it up
        untaken = tell(self._book, self._alerts, self._settings.messages_per_hour, now)
        if untaken is not None:
            self._untaken = untaken
        self._book.save(now)
        figures = [*(figure for one in every for figure in one.figures), Figure(LOOKED_AT, now.timestamp())]
        self.active, self.looked_at = self._book.active, now
        self.page = page_of(figures, self.active)
        logger.debug("looked seconds=%.2f active=%d", time.monotonic() - began, len(self.active))


def checks_of(stack: StackSettings, settings: MonitorSettings, now: datetime) -> list[Check]:
    """Returns every check, for the settings of the environment."""
    lake = LakeSettings()
    objects = open_objects(lake)
    bronze = BronzeCheck(objects, sources(), stack, settings, now)
    return [
        PartsCheck(stack, settings),
        bronze,
        AsidesCheck(objects, quarantine_folders(stack, lake)),
        TablesCheck(lake, settings, lambda: bronze.newest),
        RunsCheck(settings),
        PredictionsCheck(settings),
        DisksCheck(_folders(stack, lake) if not settings.parts else [settings.folder], settings),
        StoreCheck(settings),
        ClockCheck(settings),
        BackupsCheck(settings),
    ]


def _folders(stack: StackSettings, lake: LakeSettings) -> list[Path]:
    """Returns where the local stack writes."""
    serving = ServingSettings()
    folders = [stack.folder, serving.spool, serving.cache, Path(tempfile.gettempdir())]
    folders += [source.incoming for source in sources()]
    return folders if lake.is_s3 else [*folders, Path(lake.root)]


def _safely(check: Check, now: datetime) -> CheckResult:
    """Returns what a check has found; that it failed, where it did, and then its alerts neither begin nor
    end."""
    try:
        return check.check(now)
    except CanopyError as error:
        problem = str(error)
    except Exception as error:  # one fault must not blind the others; the log has the trace
        logger.exception("check_failed check=%s", check.name)
        problem = f"{type(error).__name__}: {error}"
    return check_result(
        [Finding("LookFailed", check.name, f"It cannot look at the {check.name}: {problem}")], [], check.kinds
    )
