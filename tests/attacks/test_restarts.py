"""A part that dies is started again, some times; and nobody else is taken for its supervisor."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from contracts.errors import PartDied, StackError
from contracts.stack_settings import StackSettings
from deploy.local import launch
from deploy.local.control import control
from deploy.local.launch import bring_up, check_alive, start_until_healthy
from deploy.local.parts import Service
from deploy.local.supervisor import RESTARTS, State, Supervisor

# A part as MLflow is one: a parent that only waits, and a child that holds the port.
PARENT = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]])"
# A part as Airflow is one: it writes a title of its own over its command and what lies behind that.
TITLED = (
    "import runpy, setproctitle, sys; setproctitle.setproctitle('titled ' * 400); "
    "sys.argv = sys.argv[2:]; runpy.run_module(sys.argv[0], run_name='__main__')"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder that lies deeper than a socket's path can say, under a name with everything in it."""
    return tmp_path / 'it\'s 100 %s, ; "so" # far' / ("deep-" * 12) / ("deeper-" * 9)


@pytest.fixture
def supervisor(home: Path) -> Iterator[Supervisor]:
    made = Supervisor(home)
    yield made
    made.stop()


def test_a_part_that_is_killed_comes_back_and_the_others_do_not_notice(supervisor: Supervisor) -> None:
    """Also one whose child outlives it and holds the port."""
    web, other = _web("web", PARENT), _web("other")
    supervisor.start([web, other], os.environ)
    start_until_healthy(supervisor, [web, other], 30, _silent)
    before = _states(supervisor)
    parent = psutil.Process(before["web"].pid)
    (child,) = parent.children()
    parent.kill()
    _until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    check_alive(supervisor)
    start_until_healthy(supervisor, [web], 30, _silent)
    assert _states(supervisor)["web"].pid != before["web"].pid
    assert _states(supervisor)["other"].pid == before["other"].pid


@pytest.mark.long
def test_a_part_that_dies_again_and_again_is_given_up_until_a_person_starts_it(
    supervisor: Supervisor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying, well = _web("dying"), _web("well")
    supervisor.start([dying, well], os.environ)
    start_until_healthy(supervisor, [dying, well], 30, _silent)
    before = _states(supervisor)["well"].pid
    assert len(_kill_until_dead(supervisor, "dying")) == 1 + RESTARTS
    assert _states(supervisor)["dying"].name == "FATAL"
    with pytest.raises(PartDied, match=r"dying ended: .*logs/dying\.log"):
        check_alive(supervisor)
    monkeypatch.setattr(launch, "parts", lambda _settings: [dying, well])
    said: list[str] = []
    bring_up(StackSettings(home=home, _env_file=None), say=said.append)
    assert said[0] == "the stack is running already; starting dying again"
    assert httpx.get(dying.health, trust_env=False).is_success
    assert _states(supervisor)["well"].pid == before


@pytest.mark.parametrize("starter", [(), (TITLED,)], ids=["plain", "titled"])
def test_what_a_killed_supervisord_left_is_ended_before_the_next_start(
    supervisor: Supervisor, home: Path, monkeypatch: pytest.MonkeyPatch, starter: tuple[str, ...]
) -> None:
    web = _web("web", *starter)
    monkeypatch.setattr(launch, "parts", lambda _settings: [web])
    monkeypatch.setattr(launch, "prepare", lambda *_: None)
    settings = StackSettings(home=home, _env_file=None)
    first = bring_up(settings, say=_silent)
    left = psutil.Process(_states(supervisor)["web"].pid)
    left.parent().kill()  # type: ignore[union-attr]
    _until(lambda: not supervisor.is_running())
    second = bring_up(settings, say=_silent)
    assert _states(supervisor)["web"].pid != left.pid
    for started in (second, first):
        started.stop()


def test_the_socket_lies_in_the_home_and_is_its_owners_alone(supervisor: Supervisor, home: Path) -> None:
    supervisor.start([_web("web")], os.environ)
    file = home / "run" / "supervisor.sock"
    assert len(os.fsencode(file)) > 107
    assert stat.S_ISSOCK(file.stat().st_mode)
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert supervisor.is_running()


def test_a_socket_of_another_user_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen as whoever does not own the file: nothing is sent, and nothing is taken for an answer."""
    said: list[bytes] = []
    me = os.geteuid()
    with _impostor(tmp_path, said):
        monkeypatch.setattr(os, "geteuid", lambda: me + 1)
        for ask in (Supervisor(tmp_path).is_running, Supervisor(tmp_path).states, Supervisor(tmp_path).stop):
            with pytest.raises(StackError, match=f"socket of user {me}, not of user {me + 1}"):
                ask()
    assert said == []


def test_a_listener_of_another_user_behind_our_own_file_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[bytes] = []
    me = os.geteuid()
    with _impostor(tmp_path, said) as file:
        real = file.lstat()
        ours = os.stat_result((*real[:4], me + 1, *real[5:10]))
        monkeypatch.setattr(Path, "lstat", lambda _self: ours)
        monkeypatch.setattr(os, "geteuid", lambda: me + 1)
        with pytest.raises(StackError, match="is not believed"), control(file) as server:
            server.getState()
    assert said == []


def test_a_file_or_a_link_in_the_sockets_place_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run" / "supervisor.sock"
    file.parent.mkdir()
    file.write_text("no socket")
    with pytest.raises(StackError, match="is no socket"):
        Supervisor(tmp_path).is_running()
    file.unlink()
    with _impostor(tmp_path / "elsewhere", []) as other:
        file.symlink_to(other)
        with pytest.raises(StackError, match="is no socket"):
            Supervisor(tmp_path).is_running()


class _impostor:  # noqa: N801
    """Something that listens where supervisord would, and writes down what it is told."""

    def __init__(self, home: Path, said: list[bytes]) -> None:
        self._file = home / "run" / "supervisor.sock"
        self._said = said

    def __enter__(self) -> Path:
        self._file.parent.mkdir(parents=True)
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self._file))
        self._server.listen()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        return self._file

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                if told := connection.recv(1000):
                    self._said.append(told)

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


def _kill_until_dead(supervisor: Supervisor, name: str) -> list[int]:
    """Kills each start of a part. Returns: The processes that were killed."""
    pids: list[int] = []
    deadline = time.monotonic() + 60
    while not (state := _states(supervisor)[name]).is_dead:
        assert time.monotonic() < deadline, state
        if state.pid and state.pid not in pids:
            pids.append(state.pid)
            os.kill(state.pid, signal.SIGKILL)
        time.sleep(0.05)
    return pids


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _states(supervisor: Supervisor) -> dict[str, State]:
    return {state.part: state for state in supervisor.states()}


def _web(name: str, *starter: str) -> Service:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = ("-m", "http.server", "--bind", "127.0.0.1", str(port))
    command = (sys.executable, "-c", *starter, *server) if starter else (sys.executable, *server)
    return Service(name, name.capitalize(), command, f"http://127.0.0.1:{port}/", port)


def _silent(_line: str) -> None:
    """Says nothing."""
