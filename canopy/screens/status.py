"""`canopy status`: the local stack on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from canopy.screens.watch import champion, scores_text
from clients.airflow import DAGS, AirflowApi
from contracts.errors import ServiceUnavailable
from contracts.landing_id import moment_in, name_in
from contracts.stack_settings import StackSettings
from deploy.local.environment import local
from deploy.local.parts import parts
from deploy.local.supervisor import State, Supervisor
from deploy.monitor.book import Active, read_alerts
from deploy.monitor.settings import MonitorSettings
from deploy.secrets import VIEWER, load_secrets
from lake.bronze.events import Event, ends
from lake.bronze.held import holds
from lake.bronze.landings import ROWS, is_landing
from lake.bronze.quarantine import count_aside
from lake.catalog.connection import connect
from lake.catalog.tables import has_table
from lake.objects import open_objects
from lake.publish.audits import AuditRecord, recorded_audits
from lake.publish.pointer import Publication, latest
from lake.settings import LakeSettings
from source.settings import sources

LIVE = """
select sum(right_rows)::bigint, sum(scored_rows)::bigint from gold.live_scores where model_version = ?
"""
NOTHING_LEFT = (
    "the source has no batch for us: set SOURCE_GROUPS to a group that nobody has collected, or let the "
    "group begin again with `canopy source restart --group NUMBER`"
)
BLIND_AFTER_S, ALERTS_SHOWN = 300.0, 6


@dataclass(frozen=True)
class Live:
    """How often the champion was right about rows that nothing had learned from; 95 % interval."""

    accuracy: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Status:
    """Everything that `canopy status` shows.

    Attributes:
        parts: One for each process; empty if the stack does not run.
        addresses: Where each part listens.
        landings: How many responses are in bronze.
        landed_at: When the newest of them was fetched, or None.
        ended: The groups whose source has no more batches.
        held: How many landings an audit holds back.
        set_aside: How many things could not be read, or are odd otherwise, and lie in `quarantine/`.
        publication: Where the pointer stands, or None.
        audit: What the last audit said, or None.
        champion: What the prediction service says of its model, or None.
        live: The champion's live accuracy, or None.
        at_work: The DAGs that Airflow runs now.
        alerts: What the monitor finds wrong now.
        looked_at: When it has looked last, or None if none ever has.
        next: What comes next, or what to do.
    """

    parts: list[State]
    addresses: dict[str, str]
    landings: int
    landed_at: datetime | None
    ended: tuple[Event, ...]
    held: int
    set_aside: int
    publication: Publication | None
    audit: AuditRecord | None
    champion: dict[str, Any] | None
    live: Live | None
    at_work: list[str]
    alerts: list[Active]
    looked_at: datetime | None
    next: str

    @property
    def table(self) -> Group:
        """Returns it for a person."""
        grid = Table.grid(padding=(0, 2))
        for name, text in self._lines():
            grid.add_row(f"[bold]{name}[/]", text)
        return Group(self._processes(), grid)

    def _processes(self) -> RenderableType:
        if not self.parts:
            return "Nothing runs."
        table = Table("part", "state", "since", "where", box=None, padding=(0, 2), pad_edge=False)
        for state in self.parts:
            colour = "red" if state.is_dead else "green" if state.name == "RUNNING" else "yellow"
            where = self.addresses.get(state.part, "")
            table.add_row(state.part, f"[{colour}]{state.name}[/]", state.description, where)
        return table

    def _lines(self) -> Iterator[tuple[str, str]]:
        newest = f", the newest {_ago(self.landed_at)}" if self.landed_at else ""
        held = f", {self.held} held back" if self.held else ""
        aside = f", {self.set_aside} things in quarantine/" if self.set_aside else ""
        yield "landed", f"{self.landings:,} responses{newest}{held}{aside}"
        for end in self.ended:
            ended = f"{end.source}, group {end.group}, {_ago(end.happened_at)}"
            yield "at its end", f"{ended}: {escape(end.detail)}"
        yield "published", _published(self.publication)
        yield "audit", _audited(self.audit)
        yield "champion", _champion(self.champion)
        yield "live", _live(self.live)
        yield "at work", ", ".join(self.at_work) or "–"
        yield "wrong now", _wrong(self.alerts, self.looked_at, is_up=bool(self.parts))
        yield "next", self.next


def status_of(settings: StackSettings) -> Status:
    """Looks at everything once; a part that is unavailable is simply not there."""
    lake, states = LakeSettings(), Supervisor(settings.folder).states()
    objects = open_objects(lake)
    # By when they were fetched.
    landings = sorted(name_in(key) for key in objects.keys(ROWS) if is_landing(key))
    held = sum(not found.is_released for found in holds(objects))
    publication, audits, ended = latest(lake), recorded_audits(lake, 1), ends(objects)
    answering = champion(settings)
    at_work = _at_work(settings) if states else []
    looked_at, alerts = read_alerts(MonitorSettings().folder)
    return Status(
        parts=states,
        addresses={part.name: part.url for part in parts(settings) if part.url},
        landings=len(landings),
        landed_at=moment_in(landings[-1]) if landings else None,
        ended=ended,
        held=held,
        set_aside=count_aside(objects),
        publication=publication,
        audit=audits[0][1] if audits else None,
        champion=answering,
        live=_live_of(lake, publication, answering),
        at_work=at_work,
        alerts=alerts,
        looked_at=looked_at,
        next=_next(states, len(landings), held, publication, answering, settings, are_ended(ended)),
    )


def _at_work(settings: StackSettings) -> list[str]:
    airflow = AirflowApi(local(settings.airflow_port), VIEWER, load_secrets(settings.folder).airflow[VIEWER])
    try:
        return [dag for dag in DAGS if any(not run.is_over for run in airflow.runs(dag, limit=3))]
    except ServiceUnavailable:
        return []


def _live_of(
    lake: LakeSettings, publication: Publication | None, answering: dict[str, Any] | None
) -> Live | None:
    if publication is None or answering is None:
        return None
    with connect(lake, snapshot_id=publication.snapshot_id) as connection:
        if not has_table(connection, "gold.live_scores"):
            return None
        found = connection.execute(LIVE, [answering["version"]]).fetchone()
    right, scored = found or (None, None)
    from training.judge.scores import wilson_interval  # scipy takes a second

    interval = wilson_interval(right, scored) if scored else None
    return Live(interval.value, interval.low, interval.high, scored) if interval else None


def _next(
    states: list[State],
    landings: int,
    held: int,
    publication: Publication | None,
    answering: dict[str, Any] | None,
    settings: StackSettings,
    are_at_their_end: bool,
) -> str:
    """Returns the one thing that matters most."""
    published = publication.landings if publication else 0
    every = f"collect runs every {settings.collect_every_s:.0f} s; `canopy collect` asks now"
    asked = [
        (any(state.is_dead for state in states), "a part has ended: `canopy doctor` says what to do"),
        (held, "a landing is held back: `canopy lake held` says why"),
        (not states and not landings, "`canopy demo` walks the whole way; `canopy up` starts every part"),
        (not states and landings > published, f"{_waiting(landings - published)} for `canopy refine`"),
        (not states, "`canopy up` starts every part"),
        (not landings and are_at_their_end, NOTHING_LEFT),
        (not landings, every),
        (landings > published, f"{_waiting(landings - published)} for the next refine"),
        (
            publication and not answering,
            "a first model: Airflow trains after a publication; `canopy train` now",
        ),
    ]
    return next((text for is_so, text in asked if is_so), every)


def are_ended(found: Sequence[Event]) -> bool:
    """Returns whether every group that the settings name is at its end."""
    wanted = {(source.name, group) for source in sources() for group in source.groups}
    return wanted <= {(end.source, end.group) for end in found}


def _waiting(count: int) -> str:
    return "1 landing waits" if count == 1 else f"{count:,} landings wait"


def _published(found: Publication | None) -> str:
    if found is None:
        return "nothing yet"
    return (
        f"snapshot {found.snapshot_id}, {_ago(found.published_at)}: {found.landings:,} landings, "
        f"{found.observations:,} distinct rows, {found.quarantined:,} quarantined"
    )


def _audited(found: AuditRecord | None) -> str:
    if found is None:
        return "none yet"
    verdict = "[green]passed[/]" if found.is_passed else "[red]failed[/]"
    findings = [*found.failures, *found.warnings]
    said = f": {findings[0]}" + (f" and {len(findings) - 1} more" if findings[1:] else "") if findings else ""
    return f"{verdict} {_ago(found.audited_at)}, {found.expectations} expectations{said}"


def _champion(found: dict[str, Any] | None) -> str:
    if found is None:
        return "none is served"
    return f"version {found['version']} from snapshot {found['snapshot_id']}, {escape(scores_text(found))}"


def _live(found: Live | None) -> str:
    if found is None:
        return "no labelled row has come since the champion answers"
    return f"accuracy {found.accuracy:.3f} \\[{found.low:.3f}, {found.high:.3f}] over {found.rows:,} rows"


def _wrong(alerts: list[Active], looked_at: datetime | None, *, is_up: bool) -> str:
    """Returns each alert on a line; that nobody looks, where a stack runs and its monitor does not."""
    if looked_at is None:
        return "[red]nobody has looked yet[/]" if is_up else "nobody has looked yet"
    seen = f"the monitor looked {_ago(looked_at)}"
    is_blind = is_up and (datetime.now(UTC) - looked_at).total_seconds() > BLIND_AFTER_S
    lines = [
        f"[red]{one.kind}[/] {escape(one.text)} (since {_ago(one.began_at).removesuffix(' ago')})"
        for one in alerts[:ALERTS_SHOWN]
    ]
    lines += [f"and {len(alerts) - ALERTS_SHOWN} more"] if len(alerts) > ALERTS_SHOWN else []
    lines = lines or ["nothing"]
    lines[0 if len(lines) == 1 else -1] += f" ([red]{seen}[/])" if is_blind else f" ({seen})"
    return "\n".join(lines)


def _ago(moment: datetime) -> str:
    seconds = max(0, round((datetime.now(UTC) - moment.astimezone(UTC)).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"
