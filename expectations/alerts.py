"""Somebody is told: in the log always, and wherever `ALERT_URLS` says. No alert ever stops an audit."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
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
    """

    title: str
    lines: Sequence[str]
    is_failure: bool


def send(alert: Alert, settings: AlertSettings) -> None:
    """Tells the log, then all addresses of the settings at once.

    An address that cannot be used, does not take the alert or takes too long is logged, and nothing else
    comes of it.
    """
    level = logging.ERROR if alert.is_failure else logging.WARNING
    logger.log(level, "alert title=%r %s", alert.title, "; ".join(alert.lines))
    urls = settings.urls.get_secret_value().split() if settings.urls else []
    # Threads that are given up do not keep the process from ending.
    senders = [
        threading.Thread(target=_send, args=(place, url, alert), name=f"alert-{place}", daemon=True)
        for place, url in enumerate(urls, start=1)
    ]
    for sender in senders:
        sender.start()
    deadline = time.monotonic() + settings.timeout_s
    for place, sender in enumerate(senders, start=1):
        sender.join(max(0.0, deadline - time.monotonic()))
        if sender.is_alive():
            _log_failure(place, f"it took longer than {settings.timeout_s:g} s")


def _send(place: int, url: str, alert: Alert) -> None:
    try:
        from apprise import Apprise, NotifyFormat, NotifyType  # 1.5 s with its 180 channels

        logging.getLogger("apprise").setLevel(
            logging.CRITICAL
        )  # it logs what it cannot read, passwords included
        channel = Apprise()
        if not channel.add(url):
            _log_failure(place, "Apprise knows no such address")
            return
        kind = NotifyType.FAILURE if alert.is_failure else NotifyType.WARNING
        body = "\n".join(alert.lines)
        if not channel.notify(body, alert.title, notify_type=kind, body_format=NotifyFormat.TEXT):
            _log_failure(place, "the channel is not reached or did not take it")
    except Exception as error:  # whatever it was, the audit goes on
        _log_failure(place, type(error).__name__)


def _log_failure(place: int, reason: str) -> None:
    """An address may hold a password, so that its place in the setting is all that the log says of it."""
    logger.error("alert_failed address=%d of ALERT_URLS: %s", place, reason)
