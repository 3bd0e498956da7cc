"""One look at everything: each of the looks by itself, then the book, then whoever is to be told."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from contracts.errors import CanopyError
from contracts.stack_settings import StackSettings
from deploy.monitor.asides import AsidesLook, quarantine_folders
from deploy.monitor.book import Active, Book
from deploy.monitor.bronze import BronzeLook
from deploy.monitor.figures import LOOKED_AT, page_of
from deploy.monitor.machine import BackupsLook, ClockLook, DisksLook, StoreLook
from deploy.monitor.parts import PartsLook
from deploy.monitor.predictions import PredictionsLook
from deploy.monitor.runs import RunsLook
from deploy.monitor.seen import Figure, Finding, Look, Seen, seen
from deploy.monitor.settings import MonitorSettings
from deploy.monitor.tables import TablesLook
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

    def __init__(self, looks: Sequence[Look], settings: MonitorSettings, alerts: AlertSettings) -> None:
        self.active: list[Active] = []
        self.page = b""
        self.looked_at: datetime | None = None
        self._looks = looks
        self._settings = settings
        self._alerts = alerts
        self._book = Book(settings.folder)
        self._untaken: list[Finding] = []

    def look(self, now: datetime | None = None) -> None:
        """Looks once; whatever one look meets, the others take place."""
        now = now or datetime.now(UTC)
        began = time.monotonic()
        every = [_safely(look, now) for look in self._looks]
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


def looks_of(stack: StackSettings, settings: MonitorSettings, now: datetime) -> list[Look]:
    """Returns every look, for the settings of the environment."""
    lake = LakeSettings()
    objects = open_objects(lake)
    bronze = BronzeLook(objects, sources(), stack, settings, now)
    return [
        PartsLook(stack, settings),
        bronze,
        AsidesLook(objects, quarantine_folders(stack, lake)),
        TablesLook(lake, settings, lambda: bronze.newest),
        RunsLook(settings),
        PredictionsLook(settings),
        DisksLook(_folders(stack, lake) if not settings.parts else [settings.folder], settings),
        StoreLook(settings),
        ClockLook(settings),
        BackupsLook(settings),
    ]


def _folders(stack: StackSettings, lake: LakeSettings) -> list[Path]:
    """Returns where the local stack writes."""
    serving = ServingSettings()
    folders = [stack.folder, serving.spool, serving.cache, Path(tempfile.gettempdir())]
    folders += [source.incoming for source in sources()]
    return folders if lake.is_s3 else [*folders, Path(lake.root)]


def _safely(look: Look, now: datetime) -> Seen:
    """Returns what a look has seen; that it failed, where it did, and then its alerts neither begin nor
    end."""
    try:
        return look.look(now)
    except CanopyError as error:
        problem = str(error)
    except Exception as error:  # one fault must not blind the others; the log has the trace
        logger.exception("look_failed look=%s", look.name)
        problem = f"{type(error).__name__}: {error}"
    return seen(
        [Finding("LookFailed", look.name, f"It cannot look at the {look.name}: {problem}")], [], look.kinds
    )
