"""Whether a group is asked now, later or no more in this window; decided from what bronze holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from lake.bronze.events import Event
from lake.bronze.samples import Sample, Samples
from lake.coverage import BatchSamples, Coverage, coverage, resampled
from source.settings import SourceSettings

# The source's clock advances strictly after its window; a request as late as this is never too early.
WINDOW_MARGIN_S = 0.05
# What bronze has of later than this from now was written by a clock that was wrong: it is not believed.
CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Seen:
    """What bronze holds of one group.

    Attributes:
        kept_at: When each response was fetched that is kept, refused ones included; oldest first.
        batch: The newest batch number; None before the first landing.
        window_began_at: When the newest batch was first seen.
        scope: Whether the deployment resamples one slice per group or slices by batch; None if unknown.
        coverage: Of the rows in reach, the group's or the newest batch's; None before the first landing.
        ended_at: When the source said that it is at its end; None if it has not, or was restarted since.
        failure: The last event, if it is a failure.
    """

    kept_at: tuple[datetime, ...] = ()
    batch: int | None = None
    window_began_at: datetime | None = None
    scope: Literal["group", "batch"] | None = None
    coverage: Coverage | None = None
    ended_at: datetime | None = None
    failure: Event | None = None


@dataclass(frozen=True)
class Ask:
    """Now."""


@dataclass(frozen=True)
class Wait:
    """In so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Done:
    """Not in this window, and why; it may be that it failed."""

    reason: str
    is_failure: bool = False


Decision = Ask | Wait | Done


def understand(
    kept_at: Sequence[datetime], samples: Samples, newest: Event | None, settings: SourceSettings
) -> Seen:
    """Reads out of bronze what a decision needs.

    Args:
        kept_at: When each kept response was fetched, oldest first.
        samples: The landed ones.
        newest: The last event at the source.
        settings: The length of a window.
    """
    failed = newest if newest and newest.kind == "failure" else None
    ended_at = newest.happened_at if newest and newest.kind == "end_of_data" else None
    if ended_at and samples.landed and samples.landed[-1].fetched_at > ended_at:
        ended_at = None  # somebody else has restarted the group
    if not samples.landed:
        return Seen(tuple(kept_at), ended_at=ended_at, failure=failed)
    batch = samples.landed[-1].batch
    batches = _batches(samples)
    scope = resampled(batches, samples.distinct_rows)
    if scope == "batch":
        (own,) = (known for known in batches if known.batch == batch)
        in_reach = coverage(own.sizes, own.distinct_rows)
    else:
        in_reach = coverage([sample.rows for sample in samples.landed], samples.distinct_rows)
    began_at = _window_began_at(samples.landed, settings)
    return Seen(tuple(kept_at), batch, began_at, scope, in_reach, ended_at, failed)


def decide(seen: Seen, settings: SourceSettings, started_at: datetime, now: datetime) -> Decision:
    """Returns what to do next in a run.

    Args:
        seen: What bronze holds by now.
        settings: Target, budget and pace.
        started_at: When the run began; a run lasts a window at most.
        now: The time.
    """
    if now < started_at - CLOCK_SKEW:
        return Done(f"the clock was set back from {_said(started_at)}; the next run goes on")
    asked = sum(at >= started_at for at in seen.kept_at)
    window = timedelta(seconds=settings.window_s)
    is_fresh = seen.ended_at and now < seen.ended_at + timedelta(seconds=settings.recheck_s)
    if seen.ended_at and (is_fresh or seen.ended_at >= started_at):
        return Done(f"the source has been at its end since {_said(seen.ended_at)}")
    if seen.failure and seen.failure.happened_at >= started_at:
        return Done(seen.failure.detail, is_failure=True)
    if asked >= settings.requests_per_window:
        return Done(f"the budget of {settings.requests_per_window} requests a window is spent{_held(seen)}")
    if asked and now >= started_at + window:
        return Done(f"the window is over{_held(seen)}")
    return _in_window(seen, settings, now, is_first=not asked) or _paced(seen, settings, now)


def _in_window(seen: Seen, settings: SourceSettings, now: datetime, *, is_first: bool) -> Decision | None:
    """Returns what the running window of the source decides; None if only the pace does."""
    if seen.window_began_at is None:
        return None
    over_at = seen.window_began_at + timedelta(seconds=settings.window_s + WINDOW_MARGIN_S)
    left_s = (over_at - now).total_seconds()
    if left_s <= 0:
        return None
    # A schedule of five minutes and a window of a little more: the run's first request is for the new batch.
    if is_first and left_s <= settings.window_s / 10 + WINDOW_MARGIN_S:
        return Wait(left_s)
    if seen.coverage and (seen.coverage.share or 0.0) >= settings.target_coverage:
        return Done(f"the next batch is due at {_said(over_at, now)}{_held(seen)}")
    return None


def _paced(seen: Seen, settings: SourceSettings, now: datetime) -> Decision:
    if not seen.kept_at:
        return Ask()
    # A response from a moment ahead of the clock asks for no longer wait than one from now.
    wait_s = settings.pace_s - max(0.0, (now - seen.kept_at[-1]).total_seconds())
    return Wait(wait_s) if wait_s > 0 else Ask()


def _said(moment: datetime, now: datetime | None = None) -> str:
    """Returns a time, with its date unless that is today's."""
    is_today = now is not None and moment.date() == now.date()
    return f"{moment:%H:%M:%S} UTC" if is_today else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _held(seen: Seen) -> str:
    """Returns how far the rows in reach are covered, as the end of a sentence; nothing where it is not
    known."""
    found = seen.coverage
    if not found or not found.share or not found.estimated_rows:
        return ""
    return f"; {found.share:.1%} of about {found.estimated_rows:,.0f} rows in reach are here"


def _batches(samples: Samples) -> list[BatchSamples]:
    sizes: dict[int, list[int]] = {}
    for sample in samples.landed:
        sizes.setdefault(sample.batch, []).append(sample.rows)
    distinct = dict(samples.distinct_by_batch)
    return [BatchSamples(batch, tuple(found), distinct[batch]) for batch, found in sizes.items()]


def _window_began_at(landed: Sequence[Sample], settings: SourceSettings) -> datetime:
    """Returns when the newest batch was first seen; a window also ends by its length, if the number stays."""
    began = landed[0]
    for sample in landed:
        is_over = (sample.fetched_at - began.fetched_at).total_seconds() > settings.window_s
        if sample.batch != began.batch or is_over:
            began = sample
    return began.fetched_at
