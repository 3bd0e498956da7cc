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
from dataclasses import replace
from pathlib import Path

import httpx

from clients.proxies import socks_wanted
from contracts.errors import MachineRefused, PartDied, PortTaken, SettingsInvalid, StackError
from contracts.plain_files import absolute
from contracts.rights import OTHERS
from contracts.stack_settings import PROJECT, StackSettings
from deploy.home import check_movable, own_home, put_aside
from deploy.local.environment import given_environment, stack_environment
from deploy.local.parts import Service, health_problem, parts
from deploy.local.supervisor import Supervisor, temporary_folder
from deploy.secrets import part_secrets
from deploy.settings_check import check_settings
from deploy.signals import interruptible, to_its_end
from pipeline.role import secrets_of

logger = logging.getLogger(__name__)

Said = Callable[[str], None]
FREE_BYTES = 1_000_000_000


def bring_up(settings: StackSettings, *, say: Said = logger.info) -> Supervisor:
    """Starts every part and waits until all are healthy. What was started is stopped on any failure.

    Args:
        settings: Ports, folders, pace.
        say: Called with one line for each step.

    Raises: PortTaken, PartDied, StackError; SettingsInvalid.
    """
    supervisor = Supervisor(settings.folder)
    started = parts(settings)
    if supervisor.is_running():
        revive(supervisor, started, settings.start_timeout_s, say)
        return supervisor
    supervisor.stop()  # parts whose supervisord was killed still hold their ports
    check_start(settings)
    check_ports(started)
    if tightened := own_home(settings):
        say(f"{tightened} files and folders that others could read are their owner's only now")
    temporary = temporary_folder(settings.folder)
    temporary.mkdir(parents=True, exist_ok=True)
    temporary.parent.chmod(0o700)
    environment = stack_environment(settings) | {"TMPDIR": str(temporary)}
    with interruptible():
        try:
            prepare(settings, environment, say)
            say("starting " + ", ".join(part.name for part in started))
            supervisor.start(started, environment)
            start_until_healthy(supervisor, started, settings.start_timeout_s, say)
        except BaseException:
            with to_its_end():
                supervisor.stop()
            raise
    return supervisor


def revive(supervisor: Supervisor, started: list[Service], timeout_s: float, say: Said) -> None:
    """Starts again what was given up, and leaves alone what runs.

    Raises: PartDied, StackError; the other parts go on.
    """
    ended = {state.part for state in supervisor.states() if state.is_dead}
    say("the stack is running already" + (f"; starting {', '.join(sorted(ended))} again" if ended else ""))
    for name in ended:
        supervisor.start_part(name)
    again = [replace(part, after=None) for part in started if part.name in ended]
    start_until_healthy(supervisor, again, timeout_s, say)


def check_ports(started: list[Service]) -> None:
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
        "mlflow-migrate": (python, "-m", "deploy.servers.mlflow_accounts", str(settings.folder)),
        "dbt-manifest": (python, "-m", "canopy", "lake", "manifest"),
    }
    environment = {**environment, **secrets_of(str(part_secrets(settings.folder, "airflow")))}
    say("making databases and dbt's manifest")
    with ThreadPoolExecutor(len(jobs)) as pool:
        for done in [
            pool.submit(_run, name, command, environment, settings.folder) for name, command in jobs.items()
        ]:
            say(f"{done.result()} is ready")


def start_until_healthy(supervisor: Supervisor, started: list[Service], timeout_s: float, say: Said) -> None:
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
                raise StackError(f"Not healthy after {timeout_s:.0f} s: {late}.")
            time.sleep(0.3)


def is_healthy(client: httpx.Client, part: Service) -> bool:
    """Returns whether a part says that it is well."""
    try:
        return health_problem(client.get(part.health), part.component) is None
    except httpx.HTTPError:
        return False


def check_alive(supervisor: Supervisor) -> None:
    """Raises: PartDied for the first part that ended by itself and is not started again."""
    for state in supervisor.states():
        if state.is_dead:
            raise PartDied(state.part, state.description, supervisor.log(state.part))


def check_start(settings: StackSettings) -> None:
    """Looks at everything that can be looked at before anything is started, written or moved.

    Raises: SettingsInvalid, RowsUnreadable, StackError, MachineRefused.
    """
    check_settings()
    _check_said_once(settings)
    if said := socks_wanted():
        raise MachineRefused(said)
    if settings.rows:
        from source.simulator.rows import read_rows  # half a second, where rows are given

        read_rows(settings.rows)
    folder = next(path for path in (settings.folder, *settings.folder.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        raise StackError(
            f"{folder} has {free / 1e6:.0f} MB left, and the stack wants {FREE_BYTES / 1e6:.0f} MB to start. "
            "Free some, or move CANOPY_HOME."
        )


def _check_said_once(settings: StackSettings) -> None:
    """Checks settings of parts that follow the stack's: another value would move a part from its place.

    Raises: SettingsInvalid.
    """
    given = given_environment()
    for name, stack, value in (
        ("SERVING_PORT", "CANOPY_SERVING_PORT", settings.serving_port),
        ("SIMULATOR_PORT", "CANOPY_SOURCE_PORT", settings.source_port),
        ("SIMULATOR_WINDOW_S", "CANOPY_WINDOW_S", settings.window_s),
        ("SIMULATOR_ROWS", "CANOPY_ROWS or --rows", settings.rows),
    ):
        said = given.get(name)
        if said is not None and not _is_same(said, value):
            shown = "not set" if value is None else value
            raise SettingsInvalid(
                name, said, f"On one machine {stack} says it, and is {shown}. Set that alone."
            )


def _is_same(said: str, value: float | Path | None) -> bool:
    """Returns whether a text says what a setting of the stack is."""
    if value is None or isinstance(value, Path):
        return value is not None and absolute(Path(said)) == absolute(value)
    try:
        return float(said) == value
    except ValueError:
        return False


def start_over(settings: StackSettings) -> Path | None:
    """Stops the stack and puts its home aside, once it is sure that a new one can start.

    Returns: Where the old home is now; None if there was none.
    Raises: as `check_start`; HomeNotMarked, PortTaken. Nothing has been moved then.
    """
    check_movable(settings.folder)
    Supervisor(settings.folder).stop()
    check_ports(parts(settings))
    try:
        return put_aside(settings.folder)
    except OSError as error:
        raise StackError(f"{settings.folder} cannot be put aside: {error}. Nothing was removed.") from None


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
            umask=OTHERS,
        ).returncode
    if status:
        raise StackError(f"{name} ended with status {status}. Its log is {log}.")
    return name
