"""Parts as real processes under a real supervisord: one ends, one is started again, one answers no more."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.stack_settings import StackSettings
from deploy.local.launch import is_healthy
from deploy.local.parts import Service
from deploy.local.supervisor import State, Supervisor
from deploy.monitor import parts as monitor_parts
from deploy.monitor.parts import PartsCheck
from tests.deploy.monitor.looking import NOW, Pages, monitor_settings, pages, trips
from tests.deploy.test_supervisor import _web

HEALTH = b'{"scheduler": {"status": "healthy"}, "triggerer": {"status": "unhealthy"}}'


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path)
    yield made
    made.stop()


def look(started: list[Service], folder: Path, monkeypatch: pytest.MonkeyPatch) -> PartsCheck:
    monkeypatch.setattr(monitor_parts, "parts", lambda _settings: started)
    return PartsCheck(StackSettings(_env_file=None, home=folder, start_timeout_s=0), monitor_settings(folder))


def test_a_part_that_ended_is_told_at_once_and_the_others_are_well(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, other = _web("web"), _web("other")
    broken = Service("broken", "Broken", (sys.executable, "-c", "raise SystemExit(1)"), "http://127.0.0.1:9/")
    supervisor.start([web, other, broken], os.environ)
    start_well(supervisor, [web, other])
    looking = look([web, other, broken], tmp_path, monkeypatch)
    found = until(lambda: [one for one in looking.check(NOW).findings if one.is_certain])
    assert [(one.kind, one.subject) for one in found] == [("PartDown", "broken")]
    assert "`canopy up`" in found[0].text


def test_a_part_that_is_somebody_elses_is_not_asked(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The monitor does not see where the source is: supervisord knows whether it is a part."""
    web = _web("web")
    supervisor.start([web], os.environ)
    start_well(supervisor, [web])
    looking = look([web, Service("source", "Source", (), "http://127.0.0.1:9/")], tmp_path, monkeypatch)
    assert looking.check(NOW).findings == ()


def test_a_part_that_was_killed_is_told_as_down_or_as_started_again(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = _web("web")
    supervisor.start([web], os.environ)
    start_well(supervisor, [web])
    looking = look([web], tmp_path, monkeypatch)
    assert looking.check(NOW).findings == ()
    os.kill(supervisor.states()[0].pid, signal.SIGKILL)
    found = until(lambda: looking.check(NOW).findings)
    assert {one.subject for one in found} == {"web"}
    assert {one.kind for one in found} <= {"PartDown", "PartRestarted"}


def test_a_part_that_runs_and_answers_no_more_is_told(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = _web("web")
    supervisor.start([web], os.environ)
    start_well(supervisor, [web])
    monkeypatch.setattr(monitor_parts, "TIMEOUT_S", 0.3)
    looking = look([web], tmp_path, monkeypatch)
    pid = supervisor.states()[0].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        (found,) = trips(looking, "PartDown")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert found.subject == "web"
    assert not found.is_certain


def test_a_supervisord_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = trips(look([], tmp_path, monkeypatch), "PartDown")
    assert found.subject == "supervisord"


def test_a_part_that_was_started_again_is_told_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, pids = look([], tmp_path, monkeypatch), [7]
    monkeypatch.setattr(Supervisor, "states", lambda _self: [State("ui", "RUNNING", pids[0], "up")])
    assert trips(looking, "PartRestarted") == []
    pids[0] = 8
    (found,) = trips(looking, "PartRestarted")
    assert "1 in all" in found.text
    assert len(trips(looking, "PartRestarted", NOW.replace(minute=14))) == 1
    assert trips(looking, "PartRestarted", NOW.replace(minute=16)) == []


def test_parts_elsewhere_are_asked_by_their_addresses_each_page_once(tmp_path: Path) -> None:
    found: Pages = {"/health": (200, HEALTH), "/live": (500, b"")}
    with pages(found) as url:
        asked = {
            "scheduler": f"{url}/health#scheduler",
            "triggerer": f"{url}/health#triggerer",
            "worker": f"{url}/health#worker",
            "api": f"{url}/health",
            "serving": f"{url}/live",
            "gone": "http://127.0.0.1:9/",
        }
        settings = monitor_settings(tmp_path, parts=asked)
        stack = StackSettings(_env_file=None, home=tmp_path, start_timeout_s=90)
        looking = PartsCheck(stack, settings)
        assert looking.check(NOW).undecided == {"PartDown"}  # they may still be coming up
        down = trips(looking, "PartDown", NOW + timedelta(seconds=90))
    assert {one.subject for one in down} == {"triggerer", "worker", "serving", "gone"}


def start_well(supervisor: Supervisor, started: list[Service]) -> None:
    """Waits for these parts, whatever becomes of others."""
    with httpx.Client(timeout=2, trust_env=False) as client:
        until(lambda: all(is_healthy(client, part) for part in started))
    states = {state.part: state.name for state in supervisor.states()}
    assert {states[part.name] for part in started} == {"RUNNING"}


def until(found: Callable[[], Any]) -> Any:
    """What is found in the end."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.1)
    raise AssertionError("nothing was found")


class _Starts(BaseHTTPRequestHandler):
    """A container's page of health, which tells which start of it answers."""

    start = "one"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Canopy-Started", self.start)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None: ...


def containers(folder: Path, parts: dict[str, str]) -> PartsCheck:
    stack = StackSettings(_env_file=None, home=folder, start_timeout_s=0)
    return PartsCheck(stack, monitor_settings(folder, parts=parts))


def test_a_container_that_was_started_again_is_told_by_what_its_page_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Starts) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        looking = containers(tmp_path, {"serving": f"{url}/live", "other": f"{url}/health#part"})
        assert [one for one in looking.check(NOW).findings if one.kind == "PartRestarted"] == []
        monkeypatch.setattr(_Starts, "start", "two")
        found = [one for one in looking.check(NOW).findings if one.kind == "PartRestarted"]
        assert [one.subject for one in found] == ["serving"]
        later = NOW + timedelta(hours=1)
        assert [one for one in looking.check(later).findings if one.kind == "PartRestarted"] == []
        server.shutdown()


def test_a_store_without_a_page_is_down_when_its_port_takes_no_connection(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as store:
        port = store.getsockname()[1]
        looking = containers(tmp_path, {"minio": f"tcp://127.0.0.1:{port}", "odd": "tcp://127.0.0.1:none"})
        (found,) = trips(looking, "PartDown")
        assert found.subject == "odd"
    assert {one.subject for one in trips(looking, "PartDown")} == {"minio", "odd"}
