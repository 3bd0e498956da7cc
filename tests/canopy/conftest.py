"""Commands in a process of their own, in a home folder of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

PORTS = ("SOURCE", "AIRFLOW", "MLFLOW", "SERVING", "UI", "DOCS", "MONITOR")


@pytest.fixture(autouse=True)
def environment_is_given_back() -> Iterator[None]:
    """A command that runs in this process tells the parts of each other in its environment."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Free ports and an empty home: nothing of another stack on this machine is touched."""
    with ExitStack() as stack:
        free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PORTS]
        ports = {f"CANOPY_{name}_PORT": str(s.getsockname()[1]) for name, s in zip(PORTS, free, strict=True)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CANOPY_", "LAKE_"))}
    return kept | ports | {"CANOPY_HOME": str(tmp_path / "home"), "COLUMNS": "200"}


@pytest.fixture
def canopy(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `canopy …` to its end."""

    def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "canopy", *arguments]
        return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=120)

    return run
