"""`canopy doctor`: what keeps Canopy from running here, and what to do about it."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx
import psutil
from dotenv import dotenv_values
from packaging.markers import Marker
from pydantic import ValidationError

from canopy.invalid import invalid_settings
from canopy.settings import PROJECT, StackSettings
from canopy.site.setting_reference import setting_names, settings_classes
from canopy.stack.launch import check_ports, is_healthy
from canopy.stack.parts import Part, parts
from canopy.stack.supervisor import State, Supervisor
from contracts.errors import CanopyError, NothingPublished
from lake.catalog import connect
from lake.extensions import extension_directory
from lake.objects import open_objects
from lake.settings import LakeSettings

NEEDED_GB, NEEDED_MEMORY_GB = 5, 4
LOCK = PROJECT / "requirements" / "runtime.txt"
PINNED = re.compile(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)(?: ; ([^\\]+))?", re.M)
PRIVATE = ("secrets.json", "airflow/passwords.json", "predict.key", "admin.key", "keys.json")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    what: str
    is_well: bool
    found: str
    remedy: str = ""


def examine(settings: StackSettings) -> list[Check]:
    """Every check; none stops at the first thing it finds."""
    return [
        _python(),
        _packages(),
        _extensions(),
        _memory(),
        _disk(settings),
        _settings(),
        _private(settings),
        _store(),
        _catalog(),
        *_parts(settings),
    ]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    is_well = (3, 11) <= sys.version_info[:2] < (3, 13)
    return _check("Python", is_well, found, "Install Python 3.11 or 3.12, then run `make install`.")


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
    return _answered("DuckDB and its extensions", lambda: f"{version('duckdb')}, {extension_directory()}")


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


def _settings() -> Check:
    """Values that cannot be, and names that look like a setting and are none."""
    wrong = []
    for settings in settings_classes():
        try:
            settings()
        except ValidationError as error:
            wrong.append(str(invalid_settings(error)))
    known = setting_names()
    given = set(os.environ) | set(dotenv_values(".env"))
    wrong += [
        f"{name} is no setting{_meant(name, known)}" for name in sorted(given) if _is_stray(name, known)
    ]
    remedy = "Correct it in the environment or in .env; .env.example lists every setting."
    return _check("Settings", not wrong, _first(wrong) if wrong else f"{len(known)} can be set", remedy)


def _is_stray(name: str, known: set[str]) -> bool:
    """Whether it begins like a setting of ours and comes close to one; others' variables may begin so too."""
    return name not in known and bool(difflib.get_close_matches(name, known, cutoff=0.85))


def _meant(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
    return f"; {close[0]} is" if close else ""


def _private(settings: StackSettings) -> Check:
    files = [file for file in (settings.folder / name for name in PRIVATE) if file.exists()]
    wide = [file for file in files if file.stat().st_mode & 0o077]
    found = f"{_first(map(str, wide))} can be read by others" if wide else f"{len(files)}, their owner's only"
    return _check("Secrets", not wide, found, f"chmod 600 {' '.join(map(str, wide))}")


def _store() -> Check:
    lake = LakeSettings()

    def look() -> str:
        open_objects(lake).check()
        return f"{lake.root} can be written"

    return _answered("Object store", look)


def _catalog() -> Check:
    lake = LakeSettings()

    def look() -> str:
        try:
            with connect(lake):
                return f"{lake.catalog} can be read"
        except NothingPublished:
            return "none yet; the first `canopy refine` makes it"

    return _answered("Catalog", look)


def _parts(settings: StackSettings) -> list[Check]:
    """The health of each part where the stack runs, else whether its port is free."""
    supervisor = Supervisor(settings.folder)
    states = {state.part: state for state in supervisor.states()}
    if not states:
        return [_port(part) for part in parts(settings) if part.port]
    with httpx.Client(timeout=5, trust_env=False) as client:
        return [
            _health(client, part, states[part.name], supervisor.log(part.name))
            for part in parts(settings)
            if part.name in states
        ]


def _health(client: httpx.Client, part: Part, state: State, log: Path) -> Check:
    if state.name != "RUNNING":
        is_well, found = False, f"{state.name}: {state.description}"
    else:
        is_well = is_healthy(client, part)
        found = "healthy" if is_well else f"runs, but {part.health} does not say that it is well"
    return _check(part.title, is_well, found, f"Read {log}, then `canopy down` and `canopy up`.")


def _port(part: Part) -> Check:
    def free() -> str:
        check_ports([part])
        return f"{part.port} is free"

    return _answered(f"Port of {part.title}", free)


def _answered(what: str, look: Callable[[], str]) -> Check:
    try:
        return Check(what, True, look())
    except CanopyError as error:
        return Check(what, False, "not usable", str(error))


def _check(what: str, is_well: bool, found: str, remedy: str) -> Check:
    return Check(what, is_well, found, "" if is_well else remedy)


def _first(found: Iterable[str]) -> str:
    first, *more = found
    return first + (f", and {len(more)} more" if more else "")
