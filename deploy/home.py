"""The home folder of the local stack: what lies in it, whose it is, and how it is put aside."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

from contracts.errors import HomeNotMarked
from contracts.plain_files import read_plain
from contracts.private_file import write_private
from contracts.put_away import put_away
from contracts.rights import group_number, share, tighten
from contracts.stack_settings import StackSettings
from lake.publish.analysts_file import share_analysts_file, shared_paths
from lake.settings import LakeSettings

logger = logging.getLogger(__name__)

# Says that Canopy made this folder. Nothing else is ever removed as a whole.
MARKER = "canopy-home.json"
# By one of these a home is known that was made before there were markers, or by a command alone: a person's
# folder may well hold `models`, `logs` and `training`.
SIGNS = ("secrets.json", "catalog.sqlite", "lake/bronze", "incoming")
PUT_ASIDE = "{name}.old-{time}"
# What cannot be made again, or holds what somebody has set.
KEPT = (
    *("lake", "catalog.sqlite*", "catalogs", "mlflow", "airflow", "airflow.sqlite*", "audits", "models"),
    *("training", "incoming", "spool", "quarantine", "source.json*", "simulator", "sql_history*"),
    MARKER,
    *("secrets.json", "secrets", "keys.json", "*.key", "stack.env"),
)
# What is made anew, or says only what happened.
MADE_ANEW = (
    *("catalog-copies", "dbt", "cosmos", "logs", "monitor", "run", "settings", "site", "supervisor*"),
    *("*.lock", ".analysts-*", ".spilled-*"),
)


def is_made_anew(name: str) -> bool:
    """Returns whether an entry of the home folder, by its name there, can be made again."""
    return any(fnmatch(name, pattern) for pattern in MADE_ANEW)


def is_known(name: str) -> bool:
    """Returns whether an entry of the home folder is one that Canopy makes."""
    return is_made_anew(name) or any(fnmatch(name, pattern) for pattern in KEPT)


def own_home(settings: StackSettings) -> int:
    """Makes the home folder its owner's, with all in it that Canopy made, and gives gold to the group.

    A folder with other things in it keeps its own rights: it may be somebody's whole home.

    Returns: How many files and folders others could have read.
    Raises: SettingsInvalid if there is no such group, or this user is not in it.
    """
    home = settings.folder
    group = group_number(settings.group) if settings.group else None
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    entries = sorted(home.iterdir())
    if all(is_known(entry.name) for entry in entries) and _is_made_here(home, entries):
        home.chmod(0o700)
        _mark(home)
    shared = shared_paths(LakeSettings()) if group is not None and not LakeSettings().is_s3 else []
    known = [entry for entry in entries if is_known(entry.name) and not entry.is_symlink()]
    changed = sum(tighten(entry, shared) for entry in known)
    if changed:
        logger.info("home_tightened folder=%s entries=%d", home, changed)
    if group is not None:
        # The group may go through the folders to the analysts' file, and list none.
        share(home, group, 0o710)
        share_analysts_file(LakeSettings())
    return changed


def check_movable(home: Path) -> None:
    """Checks that a folder may be put aside: one that Canopy has made and marked, and nobody's working place.

    Raises: HomeNotMarked.
    """
    if not home.exists():
        return
    places = {Path.cwd().resolve(): "the working folder"}
    with suppress(RuntimeError):  # an account may have none
        places[Path.home().resolve()] = "a person's home folder"
    for place, what in places.items():
        if home in (place, *place.parents):
            raise HomeNotMarked(home, f"it is {what}" if home == place else f"{what} lies in it")
    if not is_marked(home):
        raise HomeNotMarked(home, f"it holds no {MARKER}, so nothing says that Canopy made it")


def is_marked(home: Path) -> bool:
    """Returns whether a folder carries the marker that Canopy gives its homes."""
    try:
        return bool(uuid.UUID(str(json.loads(read_plain(home / MARKER))["id"])))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def put_aside(home: Path) -> Path | None:
    """Gives a home another name beside it, and removes the one that was put aside before.

    Returns: Where it is now; None if there was none.
    Raises: HomeNotMarked, and then nothing has changed; OSError.
    """
    check_movable(home)
    if not home.exists():
        return None
    # Named by a moment: a copy that somebody has made beside it is another name, and theirs.
    named = re.compile(re.escape(PUT_ASIDE.format(name=home.name, time="")) + r"\d{8}T\d{12}")
    before = [folder for folder in home.parent.iterdir() if named.fullmatch(folder.name)]
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = home.rename(home.parent / PUT_ASIDE.format(name=home.name, time=time))
    for old in before:
        if is_marked(old) and not old.is_symlink():
            _remove(old)
    return aside


def _is_made_here(home: Path, entries: list[Path]) -> bool:
    return not entries or is_marked(home) or any((home / sign).exists() for sign in SIGNS)


def _remove(old: Path) -> None:
    """Removes a home that was put aside before, unless somebody has put something into it."""
    others = sorted(entry.name for entry in old.iterdir() if not is_known(entry.name))
    if others:
        logger.warning("old_home_kept folder=%s holds=%r", old, ", ".join(others)[:200])
        return
    try:
        shutil.rmtree(old)
    except OSError as error:
        logger.warning("old_home_left folder=%s reason=%s", old, error)


def _mark(home: Path) -> None:
    marker = home / MARKER
    if not is_marked(home):
        if os.path.lexists(marker):
            put_away(marker, "it is no marker of a home")
        made = {"id": str(uuid.uuid4()), "made_at": datetime.now(UTC).isoformat(timespec="seconds")}
        write_private(marker, json.dumps(made))
