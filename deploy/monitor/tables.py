"""Watches the lake's tables: publication, audit, live accuracy.

DuckDB takes memory that a process keeps, so each check is a process of its own (`tables_process`), and only
where something may have changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.errors import CatalogUnusable
from contracts.stack_settings import PROJECT
from deploy.monitor.check import CheckResult, Figure, Finding, check_result
from deploy.monitor.settings import MonitorSettings
from lake.settings import LakeSettings

WITHIN_S = 120.0
# Also where nothing has changed: what waits grows old by itself.
LEAST_EVERY_S = 1800.0

Newest = Callable[[], object]


class TablesCheck:
    """Starts a check, and takes what it brings at a later turn; what was brought before counts until then."""

    name, kinds = "tables", ("PublicationLate", "AuditFailed", "AccuracyLow")

    def __init__(self, lake: LakeSettings, settings: MonitorSettings, newest: Newest) -> None:
        self._lake = lake
        self._settings = settings
        self._newest = newest
        self._process: subprocess.Popen[str] | None = None
        self._started_at = -LEAST_EVERY_S
        self._state: object = None
        self._found: dict[str, Any] | None = None

    def check(self, now: datetime) -> CheckResult:
        """See `Check`. Raises: CatalogUnusable if the tables could not be read."""
        if self._process is None and self._is_due():
            self._start()
        problem = self._take()
        if problem:
            raise CatalogUnusable(self._shown_catalog(), problem)
        if self._found is None:
            return check_result([], [], self.kinds)
        return check_result(findings(self._found, self._settings, now), _figures(self._found))

    def wait(self) -> None:
        """Waits until the check that was started has ended."""
        if self._process:
            self._process.wait(WITHIN_S)

    def stop(self) -> None:
        """Ends a check that is at work."""
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _is_due(self) -> bool:
        waited_s = time.monotonic() - self._started_at
        state = self._catalog_state()
        is_changed = state is None or state != self._state or bool((self._found or {}).get("waiting"))
        return waited_s >= (self._settings.lake_every_s if is_changed else LEAST_EVERY_S)

    def _catalog_state(self) -> object:
        """Changes with the catalog and with what has landed; None where that cannot be seen."""
        if self._lake.catalog_kind != "sqlite":
            return None
        catalog = Path(self._lake.catalog_target)
        states = [_stamp(file) for file in (catalog, catalog.with_name(f"{catalog.name}-wal"))]
        return states, repr(self._newest())

    def _start(self) -> None:
        self._started_at, self._state = time.monotonic(), self._catalog_state()
        command = [sys.executable, "-m", "deploy.monitor.tables_process", str(self._settings.live_landings)]
        self._process = subprocess.Popen(
            command,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _take(self) -> str | None:
        """Takes the answer of a check that has ended. Returns: why there is none, if it failed."""
        process = self._process
        if process is None:
            return None
        if process.poll() is None:
            if time.monotonic() - self._started_at < WITHIN_S:
                return None
            self.stop()
            return f"it did not answer within {WITHIN_S:.0f} s"
        self._process = None
        out, error = process.communicate()
        if process.returncode:
            return (error.strip().splitlines() or [f"the check ended with {process.returncode}"])[-1]
        self._found = json.loads(out)
        return None

    def _shown_catalog(self) -> str:
        return self._lake.catalog_target if self._lake.catalog_kind == "sqlite" else "in PostgreSQL"


def findings(found: dict[str, Any], settings: MonitorSettings, now: datetime) -> Iterator[Finding]:
    """Yields what is wrong with what `tables_process` has brought."""
    if late := _late(found, settings, now):
        yield late
    audit = found["audit"]
    if audit and not audit["is_passed"]:
        text = f"The audit of snapshot {audit['snapshot_id']} failed: {'; '.join(audit['failures'])}"
        yield Finding("AuditFailed", "newest", text)
    if low := _low(found, settings):
        yield low


def _late(found: dict[str, Any], settings: MonitorSettings, now: datetime) -> Finding | None:
    waiting, since = found["waiting"], found["waiting_since"]
    if not waiting or now - datetime.fromisoformat(since) <= timedelta(seconds=settings.publish_within_s):
        return None
    last = found["published_at"] or "never"
    text = f"Landings that wait to be published: {waiting}, the oldest since {since}; published last: {last}."
    return Finding("PublicationLate", "gold", text)


def _low(found: dict[str, Any], settings: MonitorSettings) -> Finding | None:
    champion, live = found["champion"], found["live"]
    if not champion or len(live) < settings.live_landings:
        return None
    promised = champion["accuracy_low"]
    if promised is None or any(one["high"] >= promised for one in live):
        return None
    newest = live[0]["accuracy"]
    text = (
        f"Version {champion['version']} was right on {newest:.3f} of the newest landing, and on "
        f"{len(live)} landings in a row below the {promised:.3f} that it promised."
    )
    return Finding("AccuracyLow", "champion", text)


def _stamp(file: Path) -> tuple[int, int] | None:
    """Returns when a file changed; a reader of the catalog leaves an empty one beside it, which is no
    change."""
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if found.st_size else None


def _figures(found: dict[str, Any]) -> Iterator[Figure]:
    yield Figure("canopy_landings_waiting", found["waiting"])
    for name, at in (
        ("publication", found["published_at"]),
        ("audit", (found["audit"] or {}).get("audited_at")),
    ):
        if at:
            yield Figure(f"canopy_newest_{name}_timestamp_seconds", datetime.fromisoformat(at).timestamp())
    if found["live"]:
        yield Figure("canopy_live_accuracy", found["live"][0]["accuracy"])
    if found["champion"] and found["champion"]["accuracy_low"] is not None:
        yield Figure("canopy_promised_accuracy", found["champion"]["accuracy_low"])
