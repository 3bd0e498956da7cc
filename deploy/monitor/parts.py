"""Polls the health of each service, and detects those that ended or were restarted."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import httpx

from contracts.stack_settings import StackSettings
from contracts.started import HEADER
from deploy.local.parts import MONITOR, health_problem, parts
from deploy.local.supervisor import State, Supervisor
from deploy.monitor.check import CheckResult, Figure, Finding, check_result
from deploy.monitor.settings import MonitorSettings

TIMEOUT_S = 5.0
TCP = "tcp://"
# A page; what went wrong; nothing of a port that takes a connection.
Answer = httpx.Response | str | None
SUPERVISOR = "supervisord"


class PartsCheck:
    """All parts but this one: those of `MONITOR_PARTS`, or the local stack's with what supervisord says."""

    name, kinds = "parts", ("PartDown", "PartRestarted")

    def __init__(self, stack: StackSettings, settings: MonitorSettings) -> None:
        self._remember = timedelta(seconds=settings.remember_s)
        self._start_within = timedelta(seconds=stack.start_timeout_s)
        self._until: datetime | None = None
        self._supervisor = None if settings.parts else Supervisor(stack.folder)
        self._parent = os.getppid()
        self._asked = dict(settings.parts) or {
            part.name: f"{part.health}#{part.component or ''}"
            for part in parts(stack)
            if part.name != MONITOR
        }
        self._starts: dict[str, object] = {}
        self._restarts: Counter[str] = Counter()
        self._restarted_at: dict[str, datetime] = {}

    def check(self, now: datetime) -> CheckResult:
        """See `Check`."""
        states = {state.part: state for state in self._supervisor.states()} if self._supervisor else {}
        if states:  # the settings of the source, which may be elsewhere, are not seen here
            self._asked = {name: page for name, page in self._asked.items() if name in states}
        answers = self._answers()
        running = {name: state.pid for name, state in states.items() if state.name == "RUNNING"}
        self._note_restarts(running if self._supervisor else self._told(answers), now)
        problems = self._unwell(answers)
        findings = [*self._down(problems, states), *self._restarted(now)]
        figures = [Figure("canopy_part_up", name not in problems, (name,)) for name in self._asked]
        figures += [
            Figure("canopy_part_restarts", number, (name,)) for name, number in self._restarts.items()
        ]
        if self._is_starting(problems, now):
            certain = [one for one in findings if one.is_certain or one.kind != "PartDown"]
            return check_result(certain, figures, ["PartDown"])
        return check_result(findings, figures)

    def _is_starting(self, problems: Mapping[str, str], now: datetime) -> bool:
        """Returns whether the stack may still be coming up: until all parts were well once, for so long at
        most."""
        self._until = self._until or now + self._start_within
        if not problems:
            self._until = now
        return now < self._until

    def _down(self, problems: Mapping[str, str], states: Mapping[str, State]) -> Iterator[Finding]:
        if self._supervisor and not states:
            text = "supervisord does not answer: no part is started again. `canopy down`, then `canopy up`."
            # It starts this process: who is another's child has seen it end, and may not see much more.
            yield Finding("PartDown", SUPERVISOR, text, is_certain=os.getppid() != self._parent)
        dead = {name: state for name, state in states.items() if state.is_dead}
        for name, state in dead.items():
            text = f"{name} is {state.name}: {state.description}. `canopy up` starts it again."
            yield Finding("PartDown", name, text, is_certain=True)
        for name, problem in problems.items():
            if name not in dead:
                yield Finding("PartDown", name, f"{name} does not say that it is well: {problem}.")

    def _restarted(self, now: datetime) -> Iterator[Finding]:
        for name, at in self._restarted_at.items():
            if now - at <= self._remember:
                times = self._restarts[name]
                yield Finding(
                    "PartRestarted",
                    name,
                    f"{name} has ended by itself and was started again, {times} in all.",
                )

    def _note_restarts(self, starts: Mapping[str, object], now: datetime) -> None:
        for name, start in starts.items():
            if self._starts.get(name, start) != start:
                self._restarts[name] += 1
                self._restarted_at[name] = now
        self._starts |= starts

    def _told(self, answers: Mapping[str, Answer]) -> dict[str, object]:
        """Returns which start of it each part tells that has a page of its own; others' images tell none."""
        own = {name: answers[address] for name, address in self._asked.items() if "#" not in address}
        starts = {
            name: found.headers.get(HEADER)
            for name, found in own.items()
            if isinstance(found, httpx.Response)
        }
        return {name: start for name, start in starts.items() if start}

    def _answers(self) -> dict[str, Answer]:
        """Returns what each page says; it is asked for once."""
        pages = {address.partition("#")[0] for address in self._asked.values()}
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client, ThreadPoolExecutor(4) as pool:
            return dict(zip(pages, pool.map(lambda page: _answer(client, page), pages), strict=True))

    def _unwell(self, answers: Mapping[str, Answer]) -> dict[str, str]:
        """Returns what is wrong with each part that does not say that it is well."""
        problems = {}
        for name, address in self._asked.items():
            page, _, component = address.partition("#")
            said = answers[page]
            problems[name] = health_problem(said, component) if isinstance(said, httpx.Response) else said
        return {name: problem for name, problem in problems.items() if problem}


def _answer(client: httpx.Client, page: str) -> Answer:
    try:
        if not page.startswith(TCP):
            return client.get(page)
        place = urlsplit(page)
        socket.create_connection((place.hostname, place.port), TIMEOUT_S).close()
    except (httpx.HTTPError, OSError, ValueError) as error:
        return str(error) or type(error).__name__
    return None
