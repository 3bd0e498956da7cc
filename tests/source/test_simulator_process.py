"""The simulator as a program of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from canopy.commands.source import simulate
from source.simulator.settings import SimulatorSettings


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_program_serves_and_ends_cleanly_when_told_to(tmp_path: Path, ending: signal.Signals) -> None:
    port = _free_port()
    with _simulator(tmp_path, SIMULATOR_PORT=str(port), SIMULATOR_SYNTHETIC_ROWS="2000") as process:
        answer = _answer(f"http://127.0.0.1:{port}/data?group_number=1", process)
        process.send_signal(ending)
        _, log = process.communicate(timeout=20)
    assert answer.json()["batch_number"] == 1
    assert process.returncode == 0
    assert "rows_are_synthetic rows=2000" in log
    assert "Traceback" not in log


def test_a_bad_file_of_rows_ends_the_program_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    with _simulator(tmp_path, SIMULATOR_ROWS="odd.csv") as process:
        _, log = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "it lacks the columns Elevation, Aspect" in log
    assert "Traceback" not in log


def test_a_bad_setting_ends_the_program_with_one_sentence(tmp_path: Path) -> None:
    with _simulator(tmp_path, SIMULATOR_CUT_SHARE="7") as process:
        _, log = process.communicate(timeout=20)
    assert process.returncode == 1
    assert log.startswith("The setting SIMULATOR_CUT_SHARE='7' cannot work. ")
    assert len(log.splitlines()) == 1


@pytest.mark.parametrize("own", [None, "SIMULATOR_PORT"])
def test_in_the_foreground_it_listens_where_the_stack_s_collector_asks(
    tmp_path: Path, own: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[SimulatorSettings] = []
    monkeypatch.setattr("source.simulator.server.run", said.append)
    (tmp_path / ".env").write_text("CANOPY_SOURCE_PORT=8123\n")
    for name, value in (("CANOPY_WINDOW_S", "7"), ("CANOPY_ROWS", "rows.csv"), (own, "8124")):
        if name:
            monkeypatch.setenv(name, value)
    simulate()
    (settings,) = said
    assert settings.port == (8124 if own else 8123)
    assert (settings.window_s, settings.rows) == (7.0, Path("rows.csv"))


def test_an_answer_that_is_held_back_keeps_nobody_from_ending_the_program(tmp_path: Path) -> None:
    port = _free_port()
    held = {"SIMULATOR_TIMEOUT_SHARE": "1", "SIMULATOR_TIMEOUT_S": "600", "SIMULATOR_SYNTHETIC_ROWS": "2000"}
    with _simulator(tmp_path, SIMULATOR_PORT=str(port), **held) as process:
        _answer(f"http://127.0.0.1:{port}/", process)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"GET /data?group_number=1 HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.3)
            process.terminate()
            process.communicate(timeout=10)
    assert process.returncode == 0


def _simulator(folder: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "source.simulator"],
        cwd=folder,
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def _answer(url: str, process: subprocess.Popen[str]) -> httpx.Response:
    while process.poll() is None:
        try:
            return httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(process.communicate()[1])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
