"""Processes of a test end with it, whoever ends it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.long  # each starts a whole run of tests

WITH_A_PROCESS = """
import subprocess, time
import pytest

@pytest.fixture{scope}
def started():
    process = subprocess.Popen(["sleep", "600"])
    open("started", "w").write(str(process.pid))
    yield
    process.kill()
    process.wait()

def test_that_waits(started):
    {wait}
"""


@pytest.mark.parametrize(
    ("scope", "wait", "arguments"),
    [
        ('(scope="session")', "time.sleep(600)", ()),
        ("", "while True: pass", ()),
        ("", "subprocess.run(['sleep', '600'])", ("-n", "1")),
    ],
    ids=["of all tests", "of one that computes", "of a worker"],
)
def test_tests_that_are_ended_end_what_they_have_started(
    tmp_path: Path, scope: str, wait: str, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "test_it.py").write_text(WITH_A_PROCESS.format(scope=scope, wait=wait))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", *arguments]
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [*command, "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
    ) as tests:
        started = tmp_path / "started"
        while not (started.exists() and started.read_text()):
            assert tests.poll() is None
            time.sleep(0.05)
        process = Path("/proc", started.read_text())
        assert process.exists()
        tests.send_signal(signal.SIGTERM)
        tests.wait(timeout=60)
    deadline = time.monotonic() + 30
    while process.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not process.exists()
