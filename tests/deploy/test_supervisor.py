"""Parts as real processes under a real supervisord."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import psutil
import pytest

from contracts.errors import PartDied, PortTaken
from contracts.stack_settings import StackSettings
from deploy.local.launch import check_alive, check_ports, start_until_healthy
from deploy.local.parts import Service, parts
from deploy.local.start_part import end_processes
from deploy.local.supervisor import Supervisor, temporary_folder
from deploy.sees import MARK

GRANDCHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path)
    yield made
    made.stop()


def test_parts_become_healthy_in_order_and_leave_no_process(supervisor: Supervisor) -> None:
    web = _web("web")
    second = Service("second", "Second", (sys.executable, "-c", GRANDCHILD), web.health, after="web")
    said: list[str] = []
    supervisor.start([web, second], os.environ)
    assert {state.part: state.name for state in supervisor.states()}["second"] == "STOPPED"
    start_until_healthy(supervisor, [web, second], 30, said.append)
    assert said == [f"Web is well at {web.url}", "Second is well"]
    pids = [state.pid for state in supervisor.states()]
    family = [child for pid in pids for child in [psutil.Process(pid), *psutil.Process(pid).children()]]
    supervisor.stop()
    assert len(family) >= 2
    assert not [process for process in family if _is_alive(process)]
    assert not supervisor.is_running()


def test_parts_end_with_a_supervisord_that_is_killed(supervisor: Supervisor) -> None:
    started = [_web("web"), _web("other")]
    supervisor.start(started, os.environ)
    start_until_healthy(supervisor, started, 30, lambda _: None)
    running = [psutil.Process(state.pid) for state in supervisor.states()]
    killed = running[0].parent()
    assert killed is not None
    killed.kill()
    _, left = psutil.wait_procs(running, timeout=20)
    assert left == []
    assert not supervisor.is_running()


def test_what_a_killed_part_leaves_in_its_temporary_folder_goes_with_the_stack(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    leaves = "import tempfile, time; tempfile.mkdtemp(); tempfile.mkstemp(); "
    part = Service("part", "Part", (sys.executable, "-c", leaves + "time.sleep(600)"), "http://127.0.0.1:1")
    folder = temporary_folder(tmp_path)
    folder.mkdir(parents=True)
    supervisor.start([part], {**os.environ, "TMPDIR": str(folder)})
    deadline = time.monotonic() + 20
    while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(list(folder.iterdir())) == 2
    psutil.Process(supervisor.states()[0].pid).kill()
    supervisor.stop()
    assert not folder.exists()


def test_a_socket_that_somebody_has_removed_leaves_nothing_running(supervisor: Supervisor) -> None:
    web = _web("web")
    supervisor.start([web], os.environ)
    start_until_healthy(supervisor, [web], 30, lambda _: None)
    part = psutil.Process(supervisor.states()[0].pid)
    family = [process for process in (part, part.parent()) if process]
    next(Path(family[0].environ()[MARK]).glob("run/*.sock")).unlink()
    assert not supervisor.is_running()
    supervisor.stop()
    assert len(family) == 2
    assert not [process for process in family if _is_alive(process)]


def test_who_is_started_while_the_others_are_ended_is_ended_too() -> None:
    """A part that answers each signal with one more process, three times."""
    left = [3]

    def listed() -> list[psutil.Process]:
        if not left[0]:
            return []
        left[0] -= 1
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]))
        return [psutil.Process(started[-1].pid)]

    started: list[subprocess.Popen[bytes]] = []
    end_processes(listed)
    assert len(started) == 3
    for process in started:
        process.wait(timeout=5)
        assert not psutil.pid_exists(process.pid)


ANSWER = xmlrpc.client.dumps(([{"name": "web", "statename": "RUNNING", "pid": 1}],), methodresponse=True)
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n\r\n" + ANSWER.encode()


@pytest.mark.parametrize("length", [0, 10, 40, WHOLE.index(b"<"), WHOLE.index(b"<") + 60, len(WHOLE) - 9])
def test_one_that_ends_within_its_answer_runs_no_more(tmp_path: Path, length: int) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "run" / "supervisor.sock"))
        listening.listen()
        server = Thread(target=_answer_each, args=(listening, WHOLE[:length]), daemon=True)
        server.start()
        assert Supervisor(tmp_path).states() == []
        assert not Supervisor(tmp_path).is_running()
        listening.shutdown(socket.SHUT_RDWR)
        server.join(timeout=10)


def _answer_each(listening: socket.socket, content: bytes) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(content)


def test_a_part_that_cannot_start_is_named_with_its_log(supervisor: Supervisor) -> None:
    broken = Service(
        "broken", "Broken", (sys.executable, "-c", "raise SystemExit('no model')"), "http://127.0.0.1:9/"
    )
    supervisor.start([broken], os.environ)
    with pytest.raises(PartDied, match="broken ended"):
        _until_dead(supervisor)
    assert "no model" in supervisor.log("broken").read_text()


WORDS = ["a #b", "a ;b", "100% %s %(here)s", 'say "so"', "it's", "año niño", "", "-rf", "$HOME `id`"]


@pytest.mark.parametrize("word", WORDS)
def test_a_part_is_started_with_the_words_that_it_has(
    supervisor: Supervisor, tmp_path: Path, word: str
) -> None:
    """Whatever the name of the folder that Python, or the home, lies in."""
    said = tmp_path / "said"
    write = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(sys.argv[2]); time.sleep(60)"
    part = Service("words", "Words", (sys.executable, "-c", write, str(said), word), "http://127.0.0.1:9/")
    supervisor.start([part], os.environ)
    deadline = time.monotonic() + 20
    while not said.exists() or (word and not said.read_text()):
        assert time.monotonic() < deadline, supervisor.states()
        time.sleep(0.05)
    assert said.read_text() == word


def test_a_taken_port_is_named_with_its_part_and_the_setting_that_moves_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = parts(StackSettings(mlflow_port=port, _env_file=None))
        mlflow = [part for part in started if part.name == "mlflow"]
        with pytest.raises(PortTaken, match=f"MLflow needs port {port} .*CANOPY_MLFLOW_PORT"):
            check_ports(mlflow)


def _web(name: str) -> Service:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    return Service(name, name.capitalize(), command, f"http://127.0.0.1:{port}/", port)


def _until_dead(supervisor: Supervisor) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        check_alive(supervisor)
        time.sleep(0.1)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
