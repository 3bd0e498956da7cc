"""`canopy doctor`: what keeps Canopy from running here, and what to do about it."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx
import psutil
from packaging.markers import Marker

from canopy.unexpected import sentence_for
from clients.proxies import socks_wanted
from contracts.errors import NothingPublished
from contracts.stack_settings import PROJECT, StackSettings
from deploy.local.launch import check_ports, is_healthy
from deploy.local.parts import Service, parts
from deploy.local.supervisor import State, Supervisor
from deploy.monitor.settings import MonitorSettings
from deploy.settings_check import wrong_settings
from deploy.settings_classes import setting_names
from lake.catalog.connection import connect
from lake.catalog.extensions import extension_directory
from lake.objects import PROBE, open_objects
from lake.read.reached import looks_names_up, ports
from lake.settings import LakeSettings
from sandbox.confine import protection

NEEDED_GB, NEEDED_MEMORY_GB = 5, 4
LOCK = PROJECT / "requirements" / "runtime.txt"
PINNED = re.compile(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)(?: ; ([^\\]+))?", re.M)
PRIVATE = (
    *("secrets.json", "airflow/passwords.json", "airflow/viewer.json", "mlflow/accounts.ini"),
    *("predict.key", "admin.key", "keys.json"),
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    what: str
    is_well: bool
    found: str
    remedy: str = ""


def examine(settings: StackSettings | None = None) -> list[Check]:
    """Returns every check; none stops at the first thing it finds, and none keeps the others from being made.

    Args:
        settings: The stack to look at; None for the one that a person has set, if that can be.
    """

    def stack() -> StackSettings:
        return settings or StackSettings()

    looks: dict[str, Callable[[], Iterable[Check]]] = {
        "Python": lambda: [_python()],
        "Packages": lambda: [_packages()],
        "DuckDB and its extensions": lambda: [_extensions()],
        "Settings": _settings,
        "Confinement": lambda: [_confinement()],
        "Memory": lambda: [_memory()],
        "Proxy": lambda: [_proxy()],
        "Disk": lambda: [_disk(stack())],
        "Secrets": lambda: [_private(stack())],
        "Object store": lambda: [_store()],
        "Catalog": lambda: [_catalog()],
        "Backups": lambda: [_backups()],
        "Parts": lambda: _parts(stack()),
    }
    return _once(check for what, look in looks.items() for check in _made(what, look))


def _once(checks: Iterable[Check]) -> list[Check]:
    """Says each remedy where it is first needed: many looks may end at the same setting."""
    found, said = list(dict.fromkeys(checks)), dict[str, Check]()
    for place, check in enumerate(found):
        if check.remedy and said.setdefault(check.remedy, check) is not check:
            found[place] = replace(check, remedy=f"As {said[check.remedy].what} says.")
    return found


def _made(what: str, look: Callable[[], Iterable[Check]]) -> list[Check]:
    try:
        return list(look())
    except Exception as error:
        return [Check(what, False, "not usable", str(sentence_for(error, Path(".canopy").absolute())))]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    is_well = (3, 11) <= sys.version_info[:2] < (3, 14)
    return _check("Python", is_well, found, "Install Python 3.11, 3.12 or 3.13, then run `make install`.")


def _packages() -> Check:
    pinned = PINNED.findall(LOCK.read_text()) if LOCK.exists() else []
    wanted = {
        name: wanted for name, wanted, marker in pinned if not marker or Marker(marker.strip()).evaluate()
    }
    other = [
        f"{name} {_installed(name)}, not {want}" for name, want in wanted.items() if _installed(name) != want
    ]
    found = _first(other) if other else f"{len(wanted)} as in the lock"
    return _check("Packages", not other, found, "Run `make install`: it installs what the lock names.")


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _extensions() -> Check:
    return Check("DuckDB and its extensions", True, f"{version('duckdb')}, {extension_directory()}")


def _confinement() -> Check:
    """Returns what holds where questions and files from outside are read."""
    held, lake = protection(), LakeSettings()
    return _check(
        "Confinement",
        held.cannot_write and held.has_no_network,
        held.text(has_ports=bool(ports(lake)), resolves_names=looks_names_up(lake)),
        "Use Linux 5.13 or newer on x86-64 or ARM, with Landlock let through by the engine; until "
        "then let nobody reach the pages whom you would not let write.",
    )


def _proxy() -> Check:
    wanted = socks_wanted()
    found = "a SOCKS proxy, and no package for it" if wanted else "nothing that would have to be installed"
    return _check("Proxy", wanted is None, found, wanted or "")


def _memory() -> Check:
    free = psutil.virtual_memory().available / 1e9
    remedy = f"End other programs; the whole stack wants {NEEDED_MEMORY_GB} GB."
    return _check("Memory", free > NEEDED_MEMORY_GB, f"{free:.0f} GB free", remedy)


def _disk(settings: StackSettings) -> Check:
    folder = next(path for path in (settings.folder, *settings.folder.parents) if path.exists())
    free = shutil.disk_usage(folder).free / 1e9
    return _check(
        "Disk",
        free > NEEDED_GB,
        f"{free:.0f} GB free at {folder}",
        f"Free some, {NEEDED_GB} GB are wanted; or move CANOPY_HOME.",
    )


def _settings() -> list[Check]:
    """Returns values that cannot be, and names that look like a setting and are none: each by itself."""
    wrong = [Check("Settings", False, "not usable", str(error)) for error in wrong_settings()]
    return wrong or [Check("Settings", True, f"{len(setting_names())} can be set")]


def _private(settings: StackSettings) -> Check:
    files = [file for file in (settings.folder / name for name in PRIVATE) if file.exists()]
    wide = [file for file in files if file.stat().st_mode & 0o077]
    found = f"{_first(map(str, wide))} can be read by others" if wide else f"{len(files)}, their owner's only"
    return _check("Secrets", not wide, found, f"chmod 600 {' '.join(map(str, wide))}")


def _backups() -> Check:
    """Returns whether somebody is told when there is no recent one; to have none yet is no fault of the
    machine."""
    folder = MonitorSettings().backups
    unwatched = "nobody is told when they grow old: MONITOR_BACKUPS names their folder"
    return Check("Backups", True, f"their age is looked at in {folder}" if folder else unwatched)


@contextmanager
def _leaving_no_folder(root: Path | None) -> Iterator[None]:
    """Removes again what a look has made of folders that were not there."""
    new = [folder for folder in (root, *root.parents) if not folder.exists()] if root else []
    try:
        yield
    finally:
        if root and new:
            (root / PROBE).unlink(missing_ok=True)
        for folder in new:
            with suppress(OSError):  # somebody has put something there meanwhile
                folder.rmdir()


def _store() -> Check:
    lake = LakeSettings()
    with _leaving_no_folder(None if lake.is_s3 else Path(lake.root)):
        open_objects(lake).check()
    return Check("Object store", True, f"{lake.root} can be written")


def _catalog() -> Check:
    lake = LakeSettings()
    found = f"{lake.catalog_shown} can be read"
    try:
        connect(lake).close()
    except NothingPublished:
        found = "none yet; the first `canopy refine` makes it"
    return Check("Catalog", True, found)


def _parts(settings: StackSettings) -> list[Check]:
    """Returns the health of each part where the stack runs, else whether its port is free."""
    supervisor = Supervisor(settings.folder)
    states = {state.part: state for state in supervisor.states()}
    if not states:
        return [check for part in parts(settings) if part.port for check in _port(part)]
    with httpx.Client(timeout=5, trust_env=False) as client:
        return [
            _health(client, part, states[part.name], supervisor.log(part.name))
            for part in parts(settings)
            if part.name in states
        ]


def _health(client: httpx.Client, part: Service, state: State, log: Path) -> Check:
    if state.name != "RUNNING":
        is_well, found = False, f"{state.name}: {state.description}"
    else:
        is_well = is_healthy(client, part)
        found = "healthy" if is_well else f"runs, but {part.health} does not say that it is well"
    return _check(part.title, is_well, found, f"Read {log}, then `canopy up`.")


def _port(part: Service) -> list[Check]:
    what = f"Port of {part.title}"

    def free() -> list[Check]:
        check_ports([part])
        return [Check(what, True, f"{part.port} is free")]

    return _made(what, free)


def _check(what: str, is_well: bool, found: str, remedy: str) -> Check:
    return Check(what, is_well, found, "" if is_well else remedy)


def _first(found: Iterable[str]) -> str:
    first, *more = found
    return first + (f", and {len(more)} more" if more else "")
