"""The whole local stack, run as a person runs it, in a folder and on ports of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from contracts.stack_settings import StackSettings
from deploy.local.control import control
from deploy.local.environment import stack_environment
from deploy.local.parts import parts
from deploy.local.supervisor import Supervisor
from deploy.secrets import READER, load_secrets
from lake.publish.pointer import latest
from lake.settings import LakeSettings
from tests.ui.parts import ROOT, free_port
from ui.reading.registry import open_registry
from ui.settings import UiSettings

PARTS = ("source", "airflow", "mlflow", "serving", "ui", "docs", "monitor")
WITHIN_S = 420.0
# A batch lasts as long as refining the one before it takes on two cores, as in `canopy demo`.
PACE = {
    "CANOPY_WINDOW_S": "17",
    "CANOPY_COLLECT_EVERY_S": "18",
    "SOURCE_REQUESTS_PER_WINDOW": "1",
    "TRAINING_PARAMETERS": '{"trees": 60}',
    "TRAINING_MINIMUM_GROWTH": "1.0",
}


@dataclass(frozen=True)
class Stack:
    """A running stack.

    Attributes:
        settings: Its folder and ports.
        environment: What its parts run in.
    """

    settings: StackSettings
    environment: dict[str, str]

    @property
    def url(self) -> str:
        """Where the UI is."""
        return f"http://127.0.0.1:{self.settings.ui_port}"

    @property
    def ui(self) -> UiSettings:
        """The UI's own settings."""
        return UiSettings(
            mlflow_url=self.environment["TRAINING_MLFLOW_URL"],
            mlflow_username=READER,
            mlflow_password=load_secrets(self.settings.folder).mlflow[READER],
            serving_url=self.environment["UI_SERVING_URL"],
        )

    @property
    def lake(self) -> LakeSettings:
        """Its lake."""
        return LakeSettings(uri=self.environment["LAKE_URI"], catalog=self.environment["LAKE_CATALOG"])

    def stop_part(self, name: str) -> None:
        """Ends one part for good, as if it had died."""
        with control(self.settings.folder / "run" / "supervisor.sock") as server:
            server.stopProcess(name)

    def start_part(self, name: str) -> None:
        """Starts it again and waits until it is well."""
        Supervisor(self.settings.folder).start_part(name)
        health = next(part.health for part in parts(self.settings) if part.name == name)
        until(f"{name} to be well", lambda: httpx.get(health, trust_env=False, timeout=2).is_success)


@contextmanager
def running(folder: Path, rows: Path, batches: int, **more: str) -> Iterator[Stack]:
    """`canopy up`, until there is a champion and so many batches are published; `canopy down` at the end.

    Args:
        folder: Its home.
        rows: What the simulator serves.
        batches: How many are to be published.
        more: Further settings, and others than `PACE` has.
    """
    ports = {f"CANOPY_{part.upper()}_PORT": str(free_port()) for part in PARTS}
    given = {"CANOPY_HOME": str(folder), "CANOPY_ROWS": str(rows), **ports, **PACE, **more}
    environment = {**os.environ, **given}
    settings = StackSettings(
        home=folder,
        rows=rows,
        window_s=float(given["CANOPY_WINDOW_S"]),
        **{f"{part}_port": int(ports[f"CANOPY_{part.upper()}_PORT"]) for part in PARTS},
    )
    run_canopy(environment, "up")
    try:
        stack = Stack(settings, stack_environment(settings) | given)
        until("a champion", lambda: open_registry(stack.ui).champion().number > 0)
        until(f"{batches} batches", lambda: (found := latest(stack.lake)) and found.landings >= batches)
        until("serving", lambda: httpx.get(f"{stack.ui.serving_url}/ready", trust_env=False).is_success)
        yield stack
    finally:
        run_canopy(environment, "down")


def run_canopy(environment: dict[str, str], *arguments: str) -> None:
    """A command as a person types it."""
    command = [sys.executable, "-m", "canopy", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=WITHIN_S
    )
    assert done.returncode == 0, done.stderr[-3000:]


def until(what: str, is_done: Callable[[], object]) -> None:
    """Waits for something that comes by itself."""
    deadline, reason = time.monotonic() + WITHIN_S, "it did not come"
    while time.monotonic() < deadline:
        try:
            if is_done():
                return
        except Exception as error:  # what is asked may not be there yet
            reason = f"{type(error).__name__}: {error}"
        time.sleep(0.5)
    raise AssertionError(f"Waited {WITHIN_S:.0f} s for {what}: {reason}")
