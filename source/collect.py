"""Asking every group of every source, as often as the policy says, and landing what they answer in bronze."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.errors import SourceError
from contracts.landing_id import moment_text
from lake.bronze.events import newest_event
from lake.bronze.landings import Landing
from lake.bronze.quarantine import note
from lake.bronze.samples import kept_at, landed_between, read_samples, unrefined
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from source.clock import Clock, steady, utc_now
from source.incoming import Incoming
from source.outcomes import Landed, Outcome, failure
from source.policy import CLOCK_SKEW, Ask, Seen, Wait, decide, understand
from source.poll import LARGEST_LEFT, finish, poll
from source.settings import SourceSettings, sources

# Handing the worker back costs a process start of two seconds: shorter waits are slept through.
SHORT_WAIT_S = 2.0
# What bronze has held for so long without silver, no refine that is under way will take up.
UNNOTICED_AFTER = timedelta(minutes=10)


@dataclass(frozen=True)
class Collected:
    """What a run, or a step of it, came to.

    Attributes:
        outcomes: What each request came to.
        finished: What was landed of responses that a crash had left.
        reasons: Why a group is not asked again in this window, one sentence each.
        failures: What went wrong in this run, one sentence a group.
        wait_s: After how many seconds to go on; None when the run is over.
    """

    outcomes: tuple[Outcome, ...] = ()
    finished: tuple[Landing, ...] = ()
    reasons: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    wait_s: float | None = None

    @property
    def landings(self) -> list[Landing]:
        """Returns what is new in bronze."""
        landed = [outcome.landing for outcome in self.outcomes if isinstance(outcome, Landed)]
        return [*self.finished, *landed]

    def raise_failure(self) -> None:
        """Says what failed, once every group has had its turn. Raises: SourceError."""
        for outcome in self.outcomes:
            if error := failure(outcome):
                raise error
        if self.failures:
            raise SourceError(" ".join(self.failures))


def collect(
    asked: Sequence[SourceSettings] | None = None,
    lake: LakeSettings | None = None,
    *,
    on_step: Callable[[Collected], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Clock = utc_now,
) -> Collected:
    """Returns a whole run, in one go: until the rows in reach are covered, the budget is spent or the window
    is over.

    Args:
        asked: The sources; read from the environment where None.
        lake: Read from the environment where None.
        on_step: Is told what each step came to, before the wait after it.
        sleep: Waits between requests.
        clock: The time, in UTC.
    """
    clock = steady(clock)
    started_at = clock()
    steps = [collect_step(started_at, asked, lake, clock=clock)]
    while (wait_s := steps[-1].wait_s) is not None:
        on_step(steps[-1])
        sleep(wait_s)
        steps.append(collect_step(started_at, asked, lake, clock=clock))
    return Collected(
        tuple(outcome for step in steps for outcome in step.outcomes),
        tuple(landing for step in steps for landing in step.finished),
        steps[-1].reasons,
        steps[-1].failures,
    )


def collect_step(
    started_at: datetime,
    asked: Sequence[SourceSettings] | None = None,
    lake: LakeSettings | None = None,
    *,
    clock: Clock = utc_now,
) -> Collected:
    """Returns the part of a run that can be done without waiting.

    All state is in bronze: the next step, or one after a crash, may run in another process or machine.

    Args:
        started_at: When the run began, in UTC.
        asked: The sources; read from the environment where None.
        lake: Read from the environment where None.
        clock: The time, in UTC.
    """
    lake = lake or LakeSettings()
    objects = open_objects(lake)
    asked = sources() if asked is None else asked
    # Nothing is asked that could not be kept: the last batch is handed out only once.
    objects.check()
    most = max(LARGEST_LEFT, *(settings.response_bytes for settings in asked))
    finished = [landing for folder in _folders(asked) for landing in finish(objects, folder, most)]
    turns = [
        _take_turn(settings, group, lake, objects, started_at, clock)
        for settings in asked
        for group in settings.groups
    ]
    return Collected(
        tuple(outcome for turn in turns for outcome in turn.outcomes),
        tuple(finished),
        tuple(reason for turn in turns for reason in turn.reasons),
        tuple(failure for turn in turns for failure in turn.failures if failure),
        min((turn.wait_s for turn in turns if turn.wait_s is not None), default=None),
    )


def _take_turn(
    settings: SourceSettings,
    group: int,
    lake: LakeSettings,
    objects: Objects,
    started_at: datetime,
    clock: Clock,
) -> Collected:
    """Asks for a group for as long as that needs no long wait. Returns: its part in the step."""
    outcomes: list[Outcome] = []
    while True:
        now = clock()
        decision = decide(look(settings, group, lake, objects, now), settings, started_at, now)
        if isinstance(decision, Ask):
            left_s = (started_at + timedelta(seconds=settings.window_s) - clock()).total_seconds()
            within_s = left_s if left_s > 0 else None
            outcomes.append(poll(settings, group, objects, start_within_s=within_s, clock=clock))
        elif isinstance(decision, Wait) and decision.seconds <= SHORT_WAIT_S:
            time.sleep(decision.seconds)
        elif isinstance(decision, Wait):
            return Collected(tuple(outcomes), wait_s=decision.seconds)
        elif decision.is_failure:
            return Collected(tuple(outcomes), failures=(decision.reason,))
        else:
            reason = f"{decision.reason}{_ahead(settings, group, objects, clock())}"
            return Collected(tuple(outcomes), reasons=(f"{settings.name}, group {group}: {reason}.",))


def look(
    settings: SourceSettings, group: int, lake: LakeSettings, objects: Objects, now: datetime | None = None
) -> Seen:
    """Returns what bronze holds of a group, as far as it is believed.

    Args:
        settings: The source.
        group: The group.
        lake: Where the lake is.
        objects: The same, as objects.
        now: The time; what bears a later one by more than the clocks may differ is left out.
    """
    until = (now or utc_now()) + CLOCK_SKEW
    return understand(
        [at for at in kept_at(objects, settings.name, group) if at <= until],
        read_samples(lake, objects, settings.name, group, until),
        newest_event(objects, settings.name, group, until),
        settings,
    )


def _ahead(settings: SourceSettings, group: int, objects: Objects, now: datetime) -> str:
    """Says how many responses are from the future, as the end of a sentence; noted once, for an alert."""
    ahead = [at for at in kept_at(objects, settings.name, group) if at > now + CLOCK_SKEW]
    if not ahead:
        return ""
    newest = f"{ahead[-1]:%Y-%m-%d %H:%M:%S} UTC"
    said = (
        f"{len(ahead)} responses bear times ahead of this clock, up to {newest}: "
        "a clock was wrong, and they count for no decision"
    )
    note(objects, f"clock/{settings.name}/group={group:02d}/{moment_text(ahead[-1])}", said)
    return f". {said}"


def to_refine(started_at: datetime, lake: LakeSettings | None = None) -> list[str]:
    """Returns keys of landings that a run leaves to be refined: its own, or what a crash kept unannounced.

    Args:
        started_at: When the run began.
        lake: Read from the environment where None.
    """
    lake = lake or LakeSettings()
    own = landed_between(open_objects(lake), since=started_at, until=utc_now() + CLOCK_SKEW)
    return own or unrefined(lake, until=started_at - UNNOTICED_AFTER)


def _folders(asked: Sequence[SourceSettings]) -> list[Incoming]:
    return [Incoming(folder) for folder in sorted({settings.incoming for settings in asked})]
