"""Somebody is told: in the log always, and wherever `ALERT_URLS` says. No alert ever stops who sends it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from expectations.settings import AlertSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alert:
    """What somebody should know.

    Attributes:
        title: One line.
        lines: What was found, and what to do.
        is_failure: Whether something failed; a warning otherwise.
        is_over: Whether it says that something is well again.
    """

    title: str
    lines: Sequence[str]
    is_failure: bool
    is_over: bool = False


def send(alert: Alert, settings: AlertSettings) -> dict[int, str]:
    """Tells the log, then all addresses of the settings at once.

    An address that cannot be used, does not take the alert or takes too long is logged, and nothing else
    comes of it.

    Returns: Why an address did not take it, by its place among them.
    """
    level = logging.ERROR if alert.is_failure else logging.INFO if alert.is_over else logging.WARNING
    logger.log(level, "alert title=%r %s", alert.title, "; ".join(alert.lines))
    urls = settings.urls.get_secret_value().split() if settings.urls else []
    if urls:
        with suppress(Exception):  # each thread says so again
            import apprise  # noqa: F401 - 1.5 s with its 180 channels, which are no address's fault
    # Threads that are given up do not keep the process from ending.
    problems: dict[int, str] = {}
    senders = [
        threading.Thread(target=_send, args=(place, url, alert, problems), name=f"alert-{place}", daemon=True)
        for place, url in enumerate(urls, start=1)
    ]
    for sender in senders:
        sender.start()
    deadline = time.monotonic() + settings.timeout_s
    for place, sender in enumerate(senders, start=1):
        sender.join(max(0.0, deadline - time.monotonic()))
        if sender.is_alive():
            _fail(problems, place, f"it took longer than {settings.timeout_s:g} s")
    return dict(problems)


def _send(place: int, url: str, alert: Alert, problems: dict[int, str]) -> None:
    try:
        from apprise import Apprise, NotifyFormat, NotifyType

        logging.getLogger("apprise").setLevel(
            logging.CRITICAL
        )  # it logs what it cannot read, passwords included
        channel = Apprise()
        if not channel.add(url):
            _fail(problems, place, "Apprise knows no such address")
            return
        calm = NotifyType.SUCCESS if alert.is_over else NotifyType.WARNING
        kind = NotifyType.FAILURE if alert.is_failure else calm
        body = "\n".join(alert.lines)
        if not channel.notify(body, alert.title, notify_type=kind, body_format=NotifyFormat.TEXT):
            _fail(problems, place, "the channel is not reached or did not take it")
    except Exception as error:  # whatever it was, the audit goes on
        _fail(problems, place, type(error).__name__)


def _fail(problems: dict[int, str], place: int, reason: str) -> None:
    """Says which address failed by its place in the setting: it may hold a password."""
    problems[place] = reason
    logger.error("alert_failed address=%d of ALERT_URLS: %s", place, reason)
