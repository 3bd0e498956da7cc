"""`canopy doctor`: what keeps Canopy from running here, and what to do about it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

from canopy.settings import StackSettings
from canopy.stack.launch import check_ports
from canopy.stack.parts import parts
from canopy.stack.supervisor import Supervisor
from contracts.errors import CanopyError
from lake.extensions import extension_directory
from lake.objects import open_objects
from lake.settings import LakeSettings

NEEDED_GB = 5


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    what: str
    is_well: bool
    found: str
    remedy: str = ""


def examine(settings: StackSettings) -> list[Check]:
    """Every check; none stops at the first thing it finds."""
    return [_python(), _extensions(), _disk(settings), _store(), *_ports(settings)]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    is_well = (3, 11) <= sys.version_info[:2] < (3, 13)
    return Check("Python", is_well, found, "" if is_well else "Install Python 3.11 or 3.12.")


def _extensions() -> Check:
    return _answered("DuckDB and its extensions", lambda: f"{version('duckdb')}, {extension_directory()}")


def _disk(settings: StackSettings) -> Check:
    folder = next(path for path in (settings.folder, *settings.folder.parents) if path.exists())
    free = shutil.disk_usage(folder).free / 1e9
    remedy = "" if free > NEEDED_GB else f"Free some; {NEEDED_GB} GB are wanted."
    return Check("Disk", free > NEEDED_GB, f"{free:.0f} GB free at {folder}", remedy)


def _store() -> Check:
    lake = LakeSettings()
    return _answered(
        "Object store", lambda: f"{len(open_objects(lake).keys('published'))} published, {lake.root}"
    )


def _ports(settings: StackSettings) -> list[Check]:
    if Supervisor(settings.folder).is_running():
        states = Supervisor(settings.folder).states()
        dead = [state.part for state in states if state.is_dead]
        found = ", ".join(dead) + " ended" if dead else f"{len(states)} run"
        return [Check("Parts", not dead, found, "See `canopy status` and .canopy/logs." if dead else "")]
    return [_port(settings, index) for index, part in enumerate(parts(settings)) if part.port]


def _port(settings: StackSettings, index: int) -> Check:
    part = parts(settings)[index]

    def free() -> str:
        check_ports([part])
        return f"{part.port} is free"

    return _answered(f"Port of {part.title}", free)


def _answered(what: str, look: Callable[[], str]) -> Check:
    try:
        return Check(what, True, look())
    except CanopyError as error:
        return Check(what, False, "not usable", str(error))
