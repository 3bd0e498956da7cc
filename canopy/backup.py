"""Backup and restore of the local stack: its home folder, while nothing runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from canopy.settings import StackSettings
from canopy.stack.supervisor import Supervisor
from contracts.errors import BackupUnusable, RestoreRefused

CONTENTS = "backup.json"
# What is made anew, or says only what happened.
LEFT_OUT = ("dbt", "cosmos", "logs", "site", "supervisor*", "*.lock")
SETTLE = "update ducklake_metadata set value = ? where key = 'data_path'"
Said = Callable[[str], None]


@dataclass(frozen=True)
class Backup:
    """What a backup holds.

    Attributes:
        made_at: When, UTC.
        files: Each file's SHA-256, by its path in the backup's folder.
    """

    made_at: str
    files: dict[str, str]


def back_up_home(settings: StackSettings, folder: Path, say: Said) -> Backup:
    """Copies the home folder of the local stack, which must not be running.

    Raises: RestoreRefused if it runs, or the folder is there already.
    """
    if Supervisor(settings.folder).is_running():
        raise RestoreRefused("The local stack is running. Stop it first: canopy down.")
    make_folder(folder)
    say(f"copying {settings.folder}")
    shutil.copytree(settings.folder, folder / "home", ignore=shutil.ignore_patterns(*LEFT_OUT))
    return seal(folder)


def restore_home(settings: StackSettings, folder: Path, say: Said) -> Backup:
    """Puts a backup of the local stack in the place of a home folder that is not there.

    Raises: BackupUnusable; RestoreRefused if there is a home folder.
    """
    backup = checked(folder)
    if settings.folder.exists():
        raise RestoreRefused(f"{settings.folder} is there already. Move it away, or set CANOPY_HOME.")
    say(f"copying to {settings.folder}")
    shutil.copytree(folder / "home", settings.folder)
    _settle(settings.folder)
    return backup


def _settle(home: Path) -> None:
    """Tells the catalog where its lake is now: it knows it by its path."""
    catalog = home / "catalog.sqlite"
    if catalog.exists():
        with closing(sqlite3.connect(catalog)) as connection, connection:
            connection.execute(SETTLE, [f"{home}/lake/ducklake/"])


def make_folder(folder: Path) -> None:
    """Makes the folder of a new backup. Raises: RestoreRefused if it is there already."""
    if folder.exists():
        raise RestoreRefused(f"{folder} is there already. Name a folder that is not.")
    folder.mkdir(parents=True, mode=0o700)


def seal(folder: Path) -> Backup:
    """Writes down what a backup holds, last of all: without this file it is none."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    backup = Backup(
        datetime.now(UTC).isoformat(timespec="seconds"),
        {str(file.relative_to(folder)): _hash(file) for file in files},
    )
    (folder / CONTENTS).write_text(json.dumps(asdict(backup), indent=1))
    return backup


def checked(folder: Path) -> Backup:
    """What a backup says that it holds, if all of it is there and whole.

    Raises: BackupUnusable, naming the first file that is not.
    """
    try:
        backup = Backup(**json.loads((folder / CONTENTS).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise BackupUnusable(str(folder / CONTENTS), str(error)) from error
    for name, sha256 in backup.files.items():
        file = folder / name
        if not file.is_file() or _hash(file) != sha256:
            raise BackupUnusable(str(file), "it is not the file that was backed up")
    return backup


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
