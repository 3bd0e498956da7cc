"""Parts as real processes under a real supervisord."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from canopy.settings import StackSettings
from canopy.stack.launch import check_alive, check_ports, start_until_healthy
from canopy.stack.parts import Part, parts
from canopy.stack.supervisor import Supervisor
from contracts.errors import PartDied, PortTaken

GRANDCHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path)
    yield made
    made.stop()


def test_parts_become_healthy_in_order_and_leave_no_process(supervisor: Supervisor) -> None:
    web = _web("web")
    second = Part("second", "Second", (sys.executable, "-c", GRANDCHILD), web.health, after="web")
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


def test_a_part_that_is_killed_is_named_with_its_log(supervisor: Supervisor) -> None:
    web = _web("web")
    supervisor.start([web], os.environ)
    start_until_healthy(supervisor, [web], 30, lambda _line: None)
    os.kill(supervisor.states()[0].pid, signal.SIGKILL)
    with pytest.raises(PartDied, match=r"web ended: .*logs/web\.log"):
        _until_dead(supervisor)


def test_a_part_that_cannot_start_is_named_with_its_log(supervisor: Supervisor) -> None:
    broken = Part(
        "broken", "Broken", (sys.executable, "-c", "raise SystemExit('no model')"), "http://127.0.0.1:9/"
    )
    supervisor.start([broken], os.environ)
    with pytest.raises(PartDied, match="broken ended"):
        _until_dead(supervisor)
    assert "no model" in supervisor.log("broken").read_text()


def test_a_taken_port_is_named_with_its_part_and_the_setting_that_moves_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = parts(StackSettings(mlflow_port=port, _env_file=None))
        mlflow = [part for part in started if part.name == "mlflow"]
        with pytest.raises(PortTaken, match=f"MLflow needs port {port} .*CANOPY_MLFLOW_PORT"):
            check_ports(mlflow)


def _web(name: str) -> Part:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    return Part(name, name.capitalize(), command, f"http://127.0.0.1:{port}/", port)


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
