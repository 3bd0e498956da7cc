"""Checks whether the monitor itself looks: the DAG `collect` asks it, and tells in its place if not."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from contracts.plain_files import read_plain
from contracts.stack_settings import StackSettings
from expectations.alerts import Alert, send
from expectations.settings import AlertSettings

logger = logging.getLogger(__name__)

TIMEOUT_S = 3.0
# Its looks take seconds, each within two minutes; a stack may take as long to come up.
LATEST = timedelta(minutes=5)
BLIND_FOR_S = 600.0
NOTICED, TOLD = b"noticed\n", b"told\n"


def watch_monitor() -> None:
    """Tells once when the monitor has not looked for ten minutes, and once when it looks again.

    Whatever it meets, it raises nothing: to collect matters more.
    """
    try:
        alerts, stack = AlertSettings(), StackSettings()
        if alerts.urls:
            _watch(stack, alerts, stack.folder / "monitor" / "blind")
    except Exception:
        logger.exception("monitor_not_watched")


def _watch(stack: StackSettings, alerts: AlertSettings, mark: Path) -> None:
    url = stack.monitor_url or f"http://127.0.0.1:{stack.monitor_port}"
    problem, known = _problem(url), _state(mark)
    if problem is None:
        if known == TOLD:
            title = "Canopy: over: the monitor looks again"
            send(Alert(title, [f"{url} looks again."], is_failure=False, is_over=True), alerts)
        mark.unlink(missing_ok=True)
    elif known is None:
        _keep(mark, NOTICED)
    elif known == NOTICED and time.time() - mark.stat().st_mtime >= BLIND_FOR_S:
        _keep(mark, TOLD)  # first: a message that nobody takes is not sent every minute
        lines = [
            f"{problem} Nobody is told of anything else meanwhile.",
            "`canopy up` starts it again; among containers, `docker compose up --detach monitor`.",
        ]
        logger.error("monitor_blind reason=%s", problem)
        send(Alert("Canopy: the monitor does not look any more", lines, is_failure=True), alerts)


def _problem(url: str) -> str | None:
    """Returns what is wrong with the monitor, in a sentence; None if it looks."""
    try:
        looked_at = httpx.get(f"{url}/alerts", timeout=TIMEOUT_S, trust_env=False).json()["looked_at"]
        late = looked_at is None or datetime.now(UTC) - datetime.fromisoformat(looked_at) > LATEST
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return f"The monitor at {url} does not answer: {type(error).__name__}."
    return f"The monitor at {url} has looked last at {looked_at or 'no time'}." if late else None


def _state(mark: Path) -> bytes | None:
    try:
        return TOLD if read_plain(mark) == TOLD else NOTICED
    except FileNotFoundError:
        return None


def _keep(mark: Path, state: bytes) -> None:
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_bytes(state)
