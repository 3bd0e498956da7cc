"""Backup and restore of the local stack: its home folder, while nothing runs."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from contracts.errors import BackupIncomplete, BackupRefused, BackupUnusable, RestoreRefused
from contracts.stack_settings import StackSettings
from deploy.backup.age import ENCRYPTED, decrypt, encrypting, require_encrypted
from deploy.backup.files import (
    Backup,
    FolderWriter,
    Writer,
    copy_plain,
    hash_of,
    plain_files,
    read_contents,
    require_room,
)
from deploy.home import is_made_anew
from deploy.local.start_part import processes_of
from deploy.local.supervisor import Supervisor
from lake.catalog.writer import one_writer
from lake.objects import open_objects
from lake.settings import LakeSettings

HOME = "home"
BRONZE = "lake/bronze"
# A response goes from `incoming` to bronze, and there raw comes before rows; a prediction from `spool`.
FIRST, LAST = ("incoming", "spool"), ("rows", "raw")
DATA_PATH = "update ducklake_metadata set value = ? where key = 'data_path'"
Said = Callable[[str], None]


def back_up_home(settings: StackSettings, folder: Path, say: Said, recipients: Sequence[Any] = ()) -> Backup:
    """Copies the home folder of the local stack, which must not be running.

    Who refines by hand is waited for, and waits; who collects by hand may go on: each file is taken before
    the one that it is made from, so that what has been moved on meanwhile is there twice, never missing.

    Args:
        recipients: The keys that it is encrypted to (see `recipients_of`); without any it is in plain.

    Raises: BackupRefused if it runs, or the folder is there already, or the disk has no room;
        BackupIncomplete if the copy lacks something of bronze; LakeBusy.
    """
    home = settings.folder
    # Its socket may have been removed under it: parts that run write all the same.
    if Supervisor(home).is_running() or processes_of(str(home)):
        raise BackupRefused("The local stack is running. Stop it first: canopy down.")
    if home in (folder.resolve(), *folder.resolve().parents):
        raise BackupRefused(f"{folder} lies in {home}, which is what is copied. Name a folder outside.")
    if not home.is_dir():
        raise BackupRefused(f"There is no {home}, so there is nothing to back up. Set CANOPY_HOME.")
    lake = LakeSettings(uri=f"{home}/lake", catalog=f"sqlite:{home}/catalog.sqlite")
    with new_backup(folder, sum(_sizes(home)), recipients) as writer:
        say("waiting until nobody writes to the lake")
        with one_writer(lake):
            say(f"copying {home}")
            objects = open_objects(lake)
            # A pipe, or a link to nothing, is nothing to keep.
            before = [key for key in objects.keys("bronze") if objects.exists(key)]
            copied = dict(_copy(home, writer))
        say("comparing with bronze")
        _require_bronze(lake, before, copied)
        return writer.seal()


def require_own_lake(settings: StackSettings, lake: LakeSettings) -> None:
    """Raises: BackupRefused if the lake is not in the home folder, where a copy would have none of it."""
    home = settings.folder
    if lake.is_s3 or (lake.root, lake.catalog_target) != (f"{home}/lake", f"{home}/catalog.sqlite"):
        raise BackupRefused(
            f"The lake is at {lake.root}, and what is copied is {home}. Keep the lake by its store's own "
            "means; or take LAKE_URI and LAKE_CATALOG away."
        )


def restore_home(settings: StackSettings, folder: Path, say: Said, identities: Sequence[Any] = ()) -> Backup:
    """Puts a backup of the local stack in the place of a home folder that is not there.

    Raises: BackupUnusable; RestoreRefused if there is a home folder, or no key fits.
    """
    home = settings.folder
    require_absent(home)
    say(f"checking {folder}")
    with opened(folder, home.parent, identities) as (backup, checked):
        if not (checked / HOME).is_dir():
            raise BackupUnusable(HOME, "it is not there. A backup of the stack in containers wants --stack")
        _point_catalog_at(checked / HOME, home)
        require_absent(home)
        (checked / HOME).rename(home)
    return backup


def require_absent(home: Path) -> None:
    """Raises: RestoreRefused if there is a home folder."""
    if home.exists() or home.is_symlink():
        raise RestoreRefused(f"{home} is there already. Move it away, or set CANOPY_HOME.")


@contextmanager
def opened(folder: Path, beside: Path, identities: Sequence[Any]) -> Iterator[tuple[Backup, Path]]:
    """Yields a backup as files in a folder of this process's own, copied while they were checked.

    Names and kinds are looked at before anything is written. The folder goes when this is left.

    Args:
        folder: The backup.
        beside: A folder on the disk that it goes to; it is made if it is not there.
        identities: The keys that open it, where it is encrypted (see `identities_of`).

    Raises: BackupUnusable; RestoreRefused if it is encrypted and no key fits, or if it should be and is not.
    """
    is_encrypted = (folder / ENCRYPTED).is_symlink() or (folder / ENCRYPTED).exists()
    if is_encrypted and not identities:
        raise RestoreRefused(f"{folder} is encrypted. Name the file with the secret key: --identity FILE.")
    if identities and not is_encrypted:
        raise RestoreRefused(f"{folder} is not encrypted, and a key is given. Leave it out if that is right.")
    listed = None if is_encrypted else read_contents(folder)
    size = plain_files(folder, listed) if listed else require_encrypted(folder)
    beside.mkdir(parents=True, exist_ok=True, mode=0o700)
    require_room(beside, size, RestoreRefused)
    with tempfile.TemporaryDirectory(prefix=".canopy-restore-", dir=beside) as name:
        staging = Path(name)
        if listed:
            copy_plain(folder, listed, staging)
        yield listed or decrypt(folder, identities, staging), staging


@contextmanager
def new_backup(folder: Path, size: int, recipients: Sequence[Any]) -> Iterator[Writer]:
    """Yields a backup in a new folder, which is not there again if it comes to nothing.

    Raises: BackupRefused if it is there already, or its disk has no room.
    """
    if folder.exists() or folder.is_symlink():
        raise BackupRefused(f"{folder} is there already. Name a folder that is not.")
    folder.mkdir(parents=True, mode=0o700)
    try:
        require_room(folder, size, BackupRefused)
        if recipients:
            with encrypting(folder, recipients) as writer:
                yield writer
        else:
            yield FolderWriter(folder)
    except BaseException:
        shutil.rmtree(folder)
        raise


def _copy(home: Path, writer: Writer) -> Iterator[tuple[str, str]]:
    """Copies place after place. Yields: each file's name in the home folder, and its digest."""
    for place in _places(home):
        for file in _files_of(place):
            name = str(file.relative_to(home))
            try:
                yield name, writer.add(f"{HOME}/{name}", file)
            except FileNotFoundError:  # moved on since it was listed; what is bronze's is missed afterwards
                continue
            except PermissionError as error:
                raise BackupIncomplete(name, "this account may not read it") from error


def _places(home: Path) -> Iterator[Path]:
    """Yields what is copied, in its order; only what lies at the top of the home folder can be left out."""
    entries = [entry for entry in sorted(home.iterdir()) if not is_made_anew(entry.name)]
    yield from (entry for entry in entries if entry.name in FIRST)
    yield from (entry for entry in entries if entry.name not in (*FIRST, "lake"))
    bronze = home / BRONZE
    yield from (entry for entry in _within(home / "lake") if entry != bronze)
    yield from (entry for entry in _within(bronze) if entry.name not in LAST)
    yield from (bronze / name for name in LAST)


def _within(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _files_of(place: Path) -> Iterator[Path]:
    """Yields every file of a place. Links that somebody has put there lead on, but not round in a circle."""
    if place.is_file():
        yield place
    for name, folders, files in os.walk(place, followlinks=True):
        here = Path(name)
        folders[:] = sorted(entry for entry in folders if not _is_circle(here / entry))
        yield from (here / entry for entry in sorted(files) if (here / entry).is_file())


def _is_circle(folder: Path) -> bool:
    above = folder.parent.resolve()
    return folder.is_symlink() and folder.resolve() in (above, *above.parents)


def _sizes(home: Path) -> Iterator[int]:
    for place in _places(home):
        for file in _files_of(place):
            if file.exists():
                yield file.stat().st_size


def _require_bronze(lake: LakeSettings, before: list[str], copied: dict[str, str]) -> None:
    """Proves that bronze's list, with sizes and digests, is the backup's.

    Raises: BackupIncomplete, with the first objects that differ.
    """
    objects = open_objects(lake)
    lakes = {name.removeprefix("lake/"): digest for name, digest in copied.items()}
    bronze = {key: digest for key, digest in lakes.items() if key.startswith("bronze/")}
    differing = [key for key in before if key not in bronze]
    for key, digest in bronze.items():
        file = Path(objects.url(key))
        if not file.name.startswith(".") and (not file.is_file() or hash_of(file) != digest):
            differing.append(key)
    if differing:
        more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
        raise BackupIncomplete(", ".join(differing[:5]) + more, "that is not what bronze holds by now")


def _point_catalog_at(copy: Path, home: Path) -> None:
    """Tells the catalog where its lake will be: it knows it by its path. Raises: BackupUnusable."""
    catalog = copy / "catalog.sqlite"
    if catalog.exists():
        try:
            with closing(sqlite3.connect(catalog)) as connection, connection:
                connection.execute(DATA_PATH, [f"{home}/lake/ducklake/"])
        except sqlite3.Error as error:
            raise BackupUnusable("catalog.sqlite", str(error)) from error
