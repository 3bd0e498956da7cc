"""One step of a collecting run, as the DAG `collect` makes it."""

from __future__ import annotations

from datetime import datetime

from pipeline.outcomes import Later, Nothing
from pipeline.role import act_as
from pipeline.watched import watch_monitor
from source.collect import collect_step as step
from source.collect import to_refine


def collect_step(began_at: datetime) -> list[str]:
    """Asks what may be asked without waiting, and looks whether the monitor looks.

    Args:
        began_at: When the run began, in UTC.

    Returns: keys of landings to be refined.
    Raises: Later while the window is not over; Nothing if none has landed; SourceError.
    """
    watch_monitor()
    act_as("ingest")
    done = step(began_at)
    if done.wait_s is not None:
        raise Later(done.wait_s)
    landed = to_refine(began_at)
    if not landed:
        done.raise_failure()
        raise Nothing(" ".join(done.reasons))
    return landed
