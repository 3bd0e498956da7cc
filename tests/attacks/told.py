"""Who is told: a receiver of alerts, and what is told of the troubles that a test makes."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import psutil
import pytest

Key = tuple[str, str]
WITHIN_S = 900.0


# Every message that any receiver of this process took.
TAKEN: list[str] = []


@pytest.fixture(autouse=True)
def was_told(request: pytest.FixtureRequest) -> Iterator[None]:
    """Asserts of a test with the mark `tells` that it had each of those kinds told."""
    before = len(TAKEN)
    yield
    for mark in request.node.iter_markers("tells"):
        untold = [kind for kind in mark.args if not any(f"({kind}, " in text for text in TAKEN[before:])]
        assert not untold, "nobody was told"


@dataclass
class Receiver:
    """Takes messages as Apprise's `json://` sends them.

    Attributes:
        url: As `ALERT_URLS` names it.
        status: What it answers.
        taken: Each message that it took.
    """

    url: str = ""
    status: int = 200
    taken: list[dict[str, Any]] = field(default_factory=list)

    def told(self, key: Key) -> tuple[int, int]:
        """How often it was told that an alert began, and that it was over."""
        name = f"({key[0]}, {key[1]})"
        lines = [line for message in self.taken for line in message["message"].splitlines() if name in line]
        over = sum(line.startswith("Over: ") for line in lines)
        return len(lines) - over, over


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver that listens."""
    made = Receiver()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if made.status == 200:
                made.taken.append(message)
                TAKEN.append(message["message"])
            self.send_response(made.status)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        made.url = f"json://127.0.0.1:{server.server_address[1]}/"
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


class Watched:
    """A monitor's page, and whoever it tells."""

    def __init__(self, url: str, receiver: Receiver) -> None:
        """Args: where the monitor answers, and who takes its messages."""
        self._url = url
        self.receiver = receiver

    @property
    def page(self) -> str:
        """Its numbers."""
        return httpx.get(f"{self._url}/metrics", timeout=10, trust_env=False).text

    @property
    def active(self) -> set[Key]:
        """What is wrong now."""
        found = httpx.get(f"{self._url}/alerts", timeout=10, trust_env=False).json()
        return {(one["kind"], one["subject"]) for one in found["alerts"]}

    def number(self, name: str) -> float | None:
        """One number of its page, by its name with its labels; None where it is not there."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.page, re.MULTILINE)
        return float(found[1]) if found else None

    def wait_for_looks(self, times: int) -> None:
        """Until it has looked so often."""
        for _ in range(times):
            before = self.number("canopy_monitor_looked_timestamp_seconds")
            until("a look", lambda: self.number("canopy_monitor_looked_timestamp_seconds") != before)  # noqa: B023

    def tells(
        self,
        trouble: AbstractContextManager[object],
        *keys: Key,
        numbers: dict[str, float] | None = None,
    ) -> None:
        """Asserts that a trouble is told once when it begins and once when it is over, by each of its names.

        Args:
            trouble: It is there until it is left.
            keys: What is to be told, as kind and subject.
            numbers: What the page must say beside the number of active alerts, while the trouble is there.
        """
        until(f"{keys} to be no alerts yet", lambda: not self.active & set(keys))
        before = {key: self.receiver.told(key) for key in keys}
        with trouble:
            for key in keys:
                until(f"{key} to be told", lambda: self.receiver.told(key)[0] > before[key][0])  # noqa: B023
            assert {kind for kind, _ in keys} <= kinds_of(self.page)
            for name, value in (numbers or {}).items():
                until(f"{name} to be {value}", lambda: self.number(name) == value)  # noqa: B023
        for key in keys:
            until(f"the end of {key} to be told", lambda: self.receiver.told(key)[1] > before[key][1])  # noqa: B023
        self.wait_for_looks(3)
        told = {key: self.receiver.told(key) for key in keys}
        assert told == {key: (begun + 1, over + 1) for key, (begun, over) in before.items()}
        assert not self.active & set(keys)


def kinds_of(page: str) -> set[str]:
    """The kinds of which a page counts active alerts."""
    found = re.findall(r'^canopy_alerts\{kind="(\w+)"\} (\S+)$', page, re.MULTILINE)
    return {kind for kind, number in found if float(number) > 0}


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Stops processes and all that they have started, as a hang would; they go on at the end."""
    roots = [psutil.Process(pid) for pid in pids]
    stopped = [process for root in roots for process in (root, *root.children(recursive=True))]
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            if process.is_running():
                process.resume()


def until(what: str, is_so: Callable[[], object], within_s: float = WITHIN_S) -> None:
    """Waits for something that comes by itself. Raises: AssertionError, naming it."""
    deadline, reason = time.monotonic() + within_s, "it did not come"
    while time.monotonic() < deadline:
        try:
            if is_so():
                return
        except (httpx.HTTPError, OSError) as error:  # who is asked may be coming up
            reason = f"{type(error).__name__}: {error}"
        time.sleep(0.3)
    raise AssertionError(f"Waited {within_s:.0f} s for {what}: {reason}")
