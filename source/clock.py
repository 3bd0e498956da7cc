"""The time, as an argument: tests let windows of five minutes pass at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Returns the time in UTC."""
    return datetime.now(UTC)


def steady(clock: Clock = utc_now) -> Clock:
    """Returns a clock that goes on evenly from now, whatever is done to the machine's within a run."""
    if clock is not utc_now:
        return clock  # a test's own
    began_at, began_s = clock(), time.monotonic()
    return lambda: began_at + timedelta(seconds=time.monotonic() - began_s)
