"""Keeps the active alerts and which were sent: on disk, so that a restart sends nothing twice."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel

from contracts.plain_files import read_plain
from contracts.private_file import write_private
from contracts.put_away import put_away
from deploy.monitor.check import Finding
from deploy.monitor.kinds import KINDS

logger = logging.getLogger(__name__)

FILE = "alerts.json"
# A check that misses it once does not end an alert: it would begin again with the next.
MISSES = 2
# Of one kind: ten thousand files that are put aside are one trouble.
MOST_OF_A_KIND = 50

Key = tuple[str, str]


@dataclass(frozen=True)
class Active:
    """One alert.

    Attributes:
        kind: One of `KINDS`.
        subject: What it is about.
        text: What was found last.
        began_at: When it was seen first, UTC.
        is_told: Whether somebody was told that it began.
        ended_at: When it was over; None while it is not. Kept until somebody was told of that.
    """

    kind: str
    subject: str
    text: str
    began_at: AwareDatetime
    is_told: bool = False
    ended_at: AwareDatetime | None = None

    @property
    def key(self) -> Key:
        """Returns what makes it the same alert."""
        return self.kind, self.subject


class _Page(BaseModel):
    """What is kept; a moment without a zone could not be compared, and is none."""

    looked_at: AwareDatetime
    alerts: list[Active]
    sent_at: list[AwareDatetime]


class Book:
    """The alerts of one stack."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._alerts: dict[Key, Active] = {}
        self._first_seen: dict[Key, datetime] = {}
        self._missed: Counter[Key] = Counter()
        self._sent_at: list[datetime] = []
        self._read()

    @property
    def active(self) -> list[Active]:
        """Returns what is wrong now, the oldest first."""
        return sorted(
            (one for one in self._alerts.values() if one.ended_at is None), key=lambda one: one.began_at
        )

    @property
    def untold(self) -> list[Active]:
        """Returns what began or ended, and nobody was told."""
        return [one for one in self._alerts.values() if not one.is_told or one.ended_at is not None]

    def note(self, findings: Iterable[Finding], undecided: Iterable[str], now: datetime) -> None:
        """Takes what all checks have found.

        Args:
            findings: What is wrong now.
            undecided: Kinds that nothing is known of at present.
            now: The time, UTC.
        """
        found = _bounded(findings)
        unknown = frozenset(undecided)
        self._first_seen = {key: self._first_seen.get(key, now) for key in found}
        for key, finding in found.items():
            self._begin(key, finding, now)
        for key, one in list(self._alerts.items()):
            if key not in found and one.ended_at is None and one.kind not in unknown:
                self._miss(key, one, now)

    def may_tell(self, now: datetime, per_hour: int) -> bool:
        """Returns whether one more message may be sent in this hour."""
        self._sent_at = [at for at in self._sent_at if now - timedelta(hours=1) < at <= now]
        return len(self._sent_at) < per_hour

    def told(self, now: datetime) -> None:
        """Notes that somebody was told of all that began or ended."""
        self._sent_at.append(now)
        self._alerts = {
            key: replace(one, is_told=True) for key, one in self._alerts.items() if one.ended_at is None
        }

    def tried(self, now: datetime) -> None:
        """Notes that a message was sent, and nobody took it."""
        self._sent_at.append(now)

    def save(self, now: datetime) -> None:
        """Keeps it for the next start and for `canopy status`; where that fails, it tells all the same."""
        page = _Page(looked_at=now, alerts=list(self._alerts.values()), sent_at=self._sent_at)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_private(self._file, page.model_dump_json(indent=1))
        except OSError as error:  # a full disk is what there is to tell of
            logger.error("alerts_not_kept file=%s reason=%s", self._file, error)

    def _begin(self, key: Key, finding: Finding, now: datetime) -> None:
        self._missed.pop(key, None)
        known = self._alerts.get(key)
        if known and known.ended_at is None:
            self._alerts[key] = replace(known, text=finding.text)
        elif known:  # it had ended, and nobody knows yet: then it goes on
            self._alerts[key] = replace(known, text=finding.text, ended_at=None)
        else:
            waited_s = (now - self._first_seen[key]).total_seconds()
            if finding.is_certain or waited_s >= KINDS[finding.kind].after_s:
                self._alerts[key] = Active(finding.kind, finding.subject, finding.text, self._first_seen[key])
                logger.warning("alert_began kind=%s subject=%s %s", *key, finding.text)

    def _miss(self, key: Key, one: Active, now: datetime) -> None:
        self._missed[key] += 1
        if self._missed[key] >= MISSES:
            del self._missed[key]
            self._alerts[key] = replace(one, ended_at=now)
            logger.info("alert_over kind=%s subject=%s", *key)

    def _read(self) -> None:
        try:
            page = _Page.model_validate_json(read_plain(self._file))
            self._alerts = {one.key: one for one in page.alerts if one.kind in KINDS}
            self._sent_at = page.sent_at
        except (OSError, ValueError) as error:
            # What it has told is then told once more; to stand still would be worse.
            if os.path.lexists(self._file):
                with suppress(OSError):
                    put_away(self._file, f"it cannot be read: {type(error).__name__}: {error}")


def read_alerts(folder: Path) -> tuple[datetime | None, list[Active]]:
    """Returns when a monitor has looked last, and what it found wrong; None and nothing where none ever
    has."""
    try:
        page = _Page.model_validate_json(read_plain(folder / FILE))
        return page.looked_at, [one for one in page.alerts if one.ended_at is None]
    except (OSError, ValueError):
        return None, []


def _bounded(findings: Iterable[Finding]) -> dict[Key, Finding]:
    """Returns them by key; of one kind only so many, and one that says how many more there are."""
    found: dict[Key, Finding] = {}
    counts: Counter[str] = Counter()
    for finding in findings:
        counts[finding.kind] += 1
        if counts[finding.kind] <= MOST_OF_A_KIND:
            found[finding.kind, finding.subject] = finding
    for kind, count in counts.items():
        if count > MOST_OF_A_KIND:
            found[kind, "more"] = Finding(kind, "more", f"And {count - MOST_OF_A_KIND} more of this kind.")
    return found
