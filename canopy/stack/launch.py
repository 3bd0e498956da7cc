"""Bringing the local stack up: prepare, start, wait until every part is well."""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from canopy.settings import PROJECT, StackSettings
from canopy.stack.environment import stack_environment
from canopy.stack.parts import Part, parts
from canopy.stack.supervisor import Supervisor
from contracts.errors import PartDied, PortTaken, StackError

logger = logging.getLogger(__name__)

Said = Callable[[str], None]


def bring_up(settings: StackSettings, *, say: Said = logger.info) -> Supervisor:
    """Starts every part and waits until all are healthy. What was started is stopped on any failure.

    Args:
        settings: Ports, folders, pace.
        say: Called with one line for each step.

    Raises: PortTaken, PartDied, StackError.
    """
    supervisor = Supervisor(settings.folder)
    if supervisor.is_running():
        say("the stack is running already")
        return supervisor
    started = parts(settings)
    check_ports(started)
    environment = stack_environment(settings)
    try:
        prepare(settings, environment, say)
        say("starting " + ", ".join(part.name for part in started))
        supervisor.start(started, environment)
        start_until_healthy(supervisor, started, settings.start_timeout_s, say)
    except BaseException:
        supervisor.stop()
        raise
    return supervisor


def check_ports(started: list[Part]) -> None:
    """Raises: PortTaken, naming the part, the port and the setting that moves it."""
    for part in started:
        if part.port is None:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", part.port))
            except OSError:
                raise PortTaken(part.title, part.port, part.setting) from None


def prepare(settings: StackSettings, environment: Mapping[str, str], say: Said) -> None:
    """Makes the databases and dbt's manifest, side by side.

    Raises: StackError with the log of what failed.
    """
    mlflow = settings.folder / "mlflow"
    mlflow.mkdir(parents=True, exist_ok=True)
    python = sys.executable
    jobs = {
        "airflow-migrate": (python, "-m", "airflow", "db", "migrate"),
        "mlflow-migrate": (python, "-m", "mlflow", "db", "upgrade", f"sqlite:///{mlflow}/mlflow.sqlite"),
        "dbt-manifest": (python, "-m", "canopy", "lake", "manifest"),
    }
    say("making databases and dbt's manifest")
    with ThreadPoolExecutor(len(jobs)) as pool:
        for done in [
            pool.submit(_run, name, command, environment, settings.folder) for name, command in jobs.items()
        ]:
            say(f"{done.result()} is ready")


def start_until_healthy(supervisor: Supervisor, started: list[Part], timeout_s: float, say: Said) -> None:
    """Starts each part as soon as the one it comes after is well, and waits for all of them.

    Raises: PartDied if one ended, StackError if one is not healthy in time; both name the log.
    """
    deadline = time.monotonic() + timeout_s
    waiting = {part.name: part for part in started}
    held = [part for part in started if part.after]
    with httpx.Client(timeout=2, trust_env=False) as client:
        while waiting:
            check_alive(supervisor)
            for part in [part for part in waiting.values() if part not in held and is_healthy(client, part)]:
                del waiting[part.name]
                say(f"{part.title} is well" + (f" at {part.url}" if part.url else ""))
            for part in [part for part in held if part.after not in waiting]:
                held.remove(part)
                supervisor.start_part(part.name)
            if waiting and time.monotonic() > deadline:
                late = ", ".join(f"{name} (log: {supervisor.log(name)})" for name in waiting)
                raise StackError(f"Not healthy after {timeout_s:.0f} s: {late}. The parts were stopped.")
            time.sleep(0.3)


def is_healthy(client: httpx.Client, part: Part) -> bool:
    """Whether a part says that it is well."""
    try:
        answer = client.get(part.health)
    except httpx.HTTPError:
        return False
    if part.component and answer.is_success:
        return bool(answer.json()[part.component]["status"] == "healthy")
    return answer.is_success


def check_alive(supervisor: Supervisor) -> None:
    """Raises: PartDied for the first part that ended by itself."""
    for state in supervisor.states():
        if state.is_dead:
            raise PartDied(state.part, state.description, supervisor.log(state.part))


def forget(settings: StackSettings) -> None:
    """Removes everything that the local stack has written, the collected rows included."""
    Supervisor(settings.folder).stop()
    shutil.rmtree(settings.folder, ignore_errors=True)


def _run(name: str, command: tuple[str, ...], environment: Mapping[str, str], home: Path) -> str:
    log = home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        status = subprocess.run(
            command,
            env=dict(environment),
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        ).returncode
    if status:
        raise StackError(f"{name} ended with status {status}. Its log is {log}.")
    return name
