"""Sends alerts to `ALERT_URLS`: one message for all that began or ended, rate-limited by the hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from deploy.monitor.book import Active, Book
from deploy.monitor.check import Finding
from deploy.monitor.kinds import KINDS
from expectations.alerts import Alert, send
from expectations.settings import AlertSettings

LINES = 20


def tell(book: Book, alerts: AlertSettings, per_hour: int, now: datetime) -> list[Finding] | None:
    """Sends what nobody was told yet. What no address took stays untold, and is tried again.

    Returns: A finding for each address that did not take it; None if there was nothing to be sent by now.
    """
    untold = book.untold
    if not untold or not book.may_tell(now, per_hour):
        return None
    problems = send(message(untold), alerts)
    given = len(alerts.urls.get_secret_value().split()) if alerts.urls else 0
    if problems and len(problems) == given:
        book.tried(now)
    else:
        book.told(now)
    return [Finding("MessageFailed", f"address {place}", text) for place, text in problems.items()]


def message(untold: Sequence[Active]) -> Alert:
    """Returns one message for all that began or ended."""
    begun = [one for one in untold if one.ended_at is None]
    over = [one for one in untold if one.ended_at is not None]
    lines = [f"{_title(one)}: {one.text} (since {one.began_at:%Y-%m-%d %H:%M} UTC)" for one in begun]
    lines += [f"Over: {_title(one)} (from {one.began_at:%H:%M} to {one.ended_at:%H:%M} UTC)" for one in over]
    left = len(lines) - LINES
    shown = (
        [*lines[:LINES], f"And {left} more: `canopy status` lists what is wrong now."] if left > 0 else lines
    )
    return Alert(_heading(begun, over), shown, is_failure=_is_urgent(begun), is_over=not begun)


def _heading(begun: Sequence[Active], over: Sequence[Active]) -> str:
    if len(begun) + len(over) == 1:
        return f"Canopy: {'over: ' if over else ''}{_title((*begun, *over)[0])}"
    parts = [f"{len(found)} {what}" for found, what in ((begun, "begun"), (over, "over")) if found]
    return f"Canopy: alerts: {', '.join(parts)}"


def _title(one: Active) -> str:
    return f"{KINDS[one.kind].title} ({one.kind}, {one.subject})"


def _is_urgent(begun: Sequence[Active]) -> bool:
    return any(KINDS[one.kind].is_urgent for one in begun)
