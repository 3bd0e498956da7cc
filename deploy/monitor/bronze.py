"""Watches bronze: stale sources, landings dated in the future, landings that are held back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contracts.landing_id import MOMENT_PATTERN, moment_in, name_in
from contracts.stack_settings import StackSettings
from deploy.monitor.check import CheckResult, Figure, Finding, check_result
from deploy.monitor.settings import MonitorSettings
from lake.bronze.events import newest_event
from lake.bronze.held import held
from lake.objects import Objects
from source.settings import SourceSettings

ROWS = "bronze/rows"  # as in lake/bronze/landings.py, which loads pyarrow: 50 MB for this process
KEY = re.compile(
    rf"{ROWS}/(?P<source>[^/]+)/group=(?P<group>\d+)/date=[^/]+/(?P<at>{MOMENT_PATTERN})-[^/]+\.parquet"
)
# Every landing is looked at so often; between, those of today and yesterday.
WHOLE_EVERY = timedelta(minutes=10)

Group = tuple[str, int]


@dataclass(frozen=True)
class _Landed:
    group: Group
    landing_id: str
    fetched_at: datetime


class BronzeCheck:
    """The keys of bronze; no object is opened but a group's newest event."""

    name, kinds = "bronze", ("LandingStale", "LandingFromFuture", "LandingHeld")

    def __init__(
        self,
        objects: Objects,
        sources: Sequence[SourceSettings],
        stack: StackSettings,
        settings: MonitorSettings,
        started_at: datetime,
    ) -> None:
        self._objects = objects
        self._sources = {(source.name, group): source for source in sources for group in source.groups}
        self._every_s = stack.collect_every_s
        self._settings = settings
        self._started_at = started_at
        self._whole_at: datetime | None = None
        self._future: dict[str, _Landed] = {}
        self.newest: dict[Group, datetime] = {}

    def check(self, now: datetime) -> CheckResult:
        """See `Check`."""
        self._list(now)
        held_back = held(self._objects)
        stale = {group: text for group in self._sources if (text := self._stale(group, now))}
        findings = [
            *(Finding("LandingHeld", landing, _held(landing)) for landing in held_back),
            *(
                Finding("LandingFromFuture", one.landing_id, _future(one, now))
                for one in self._future.values()
            ),
            *(
                Finding("LandingStale", f"{source}/group={group:02d}", text)
                for (source, group), text in stale.items()
            ),
        ]
        # Whoever has just started knows only that nothing has landed yet.
        is_early = now < self._started_at + min(map(self._limit, self._sources.values()))
        undecided = ["LandingStale"] if is_early and stale else []
        return check_result(
            [one for one in findings if one.kind not in undecided], self._figures(held_back), undecided
        )

    def _list(self, now: datetime) -> None:
        is_whole = self._whole_at is None or not timedelta() <= now - self._whole_at < WHOLE_EVERY
        keys = self._objects.keys(ROWS) if is_whole else self._recent_keys(now)
        latest = now + timedelta(seconds=self._settings.clock_skew_s)
        if is_whole:
            self._whole_at = now
        # Those of other days are seen at each whole check only; one whose time has come is over at once.
        known = {} if is_whole else self._future
        self._future = {landing: one for landing, one in known.items() if one.fetched_at > latest}
        for one in _landed(keys):
            if one.fetched_at > latest:
                self._future[one.landing_id] = one
            elif one.fetched_at > self.newest.get(one.group, datetime.min.replace(tzinfo=UTC)):
                self.newest[one.group] = one.fetched_at

    def _recent_keys(self, now: datetime) -> Iterator[str]:
        for source, group in self._sources:
            for day in (now - timedelta(days=1), now):
                yield from self._objects.keys(f"{ROWS}/{source}/group={group:02d}/date={day:%Y-%m-%d}")

    def _stale(self, group: Group, now: datetime) -> str | None:
        """Returns what to say of a group that nothing lands of; None if it is well, or at its end."""
        limit, landed_at = self._limit(self._sources[group]), self.newest.get(group)
        event = newest_event(self._objects, *group)
        if event and event.kind == "end_of_data" and event.happened_at >= (landed_at or event.happened_at):
            limit += timedelta(seconds=self._sources[group].recheck_s)
            last, what = event.happened_at, "nobody has asked the source since it was at its end"
        else:
            last, what = landed_at or datetime.min.replace(tzinfo=UTC), "nothing has landed"
        if now - last <= limit:
            return None
        since = f"since {last:%Y-%m-%d %H:%M} UTC" if last.year > 1 else "yet"
        said = f" The last failure: {event.detail}" if event and event.kind == "failure" else ""
        return f"Of {group[0]}, group {group[1]}, {what} {since}.{said}"

    def _limit(self, source: SourceSettings) -> timedelta:
        pace_s = max(source.window_s, self._every_s)
        return timedelta(seconds=max(self._settings.stale_windows * pace_s, self._settings.stale_s))

    def _figures(self, held_back: list[str]) -> Iterator[Figure]:
        yield Figure("canopy_landings_held", len(held_back))
        for (source, group), at in self.newest.items():
            labels = (source, str(group))
            yield Figure("canopy_newest_landing_timestamp_seconds", at.timestamp(), labels)


def _landed(keys: Iterable[str]) -> Iterator[_Landed]:
    """Yields landings by their keys; what is no landing is somebody else's to tell of."""
    for key in keys:
        found = KEY.fullmatch(key)
        try:
            at = moment_in(found["at"]) if found else None
        except ValueError:
            continue
        if found and at:
            yield _Landed((found["source"], int(found["group"])), name_in(key), at)


def _held(landing: str) -> str:
    return f"An audit holds {landing} back. `canopy lake held` says why, `canopy lake release` lets it in."


def _future(one: _Landed, now: datetime) -> str:
    at, is_now = f"{one.fetched_at:%Y-%m-%d %H:%M}", f"{now:%Y-%m-%d %H:%M}"
    return f"{one.landing_id} says that it was fetched at {at} UTC, and it is {is_now}."
