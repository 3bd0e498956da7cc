"""The format of a backup: files by name, and last of all their manifest with the digests."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from contracts.errors import BackupIncomplete, BackupRefused, BackupUnusable, RestoreRefused

CONTENTS = "backup.json"
PIECE = 2**20
# What no name in a backup may have: it would lead out of the folder, or be another on another system.
UNSAFE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]|^[A-Za-z]:|^/|^$")
DIGEST = re.compile(r"[0-9a-f]{64}")
LONGEST_NAME, LONGEST_PART = 4096, 255  # in bytes, of a part: what file systems take
DEEPEST = 200  # folders; what makes and removes them calls itself for each, and Python ends that at 1,000


@dataclass(frozen=True)
class Backup:
    """What a backup holds.

    Attributes:
        made_at: When, UTC.
        files: Each file's SHA-256, by its path in the backup's folder.
    """

    made_at: str
    files: dict[str, str]


class Writer(Protocol):
    """A backup that is being made."""

    def add(self, name: str, file: Path) -> str:
        """Takes a file in as it is now. Returns: its SHA-256. Raises: FileNotFoundError if it is gone."""

    def seal(self) -> Backup:
        """Writes down what it holds, last of all: without that it is none."""


class FolderWriter(Writer):
    """A backup in plain: its files in a new folder that only its owner can enter."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, str] = {}

    def add(self, name: str, file: Path) -> str:
        with file.open("rb") as source:
            modified_at = os.fstat(source.fileno()).st_mtime
            self._files[name] = copy_hashed(source, self._folder / name, modified_at)
        return self._files[name]

    def seal(self) -> Backup:
        return seal(self._folder, self._files)


def seal(folder: Path, files: dict[str, str] | None = None) -> Backup:
    """Writes down what a folder holds, by these digests or by those that its files have now."""
    if files is None:
        found = sorted(file for file in folder.rglob("*") if file.is_file())
        files = {str(file.relative_to(folder)): hash_of(file) for file in found}
    require_names(files, BackupIncomplete)
    backup = Backup(datetime.now(UTC).isoformat(timespec="seconds"), files)
    with _create(folder / CONTENTS) as stream:
        stream.write(as_text(backup))
        stream.flush()
        os.fsync(stream.fileno())
    return backup


def as_text(backup: Backup) -> bytes:
    """Returns the list of a backup's files, as it is kept in it."""
    return json.dumps(asdict(backup), indent=1).encode()


def read_index(text: bytes) -> Backup:
    """Returns what a backup says that it holds.

    Raises: BackupUnusable if that is not a list of files, or one has a name that no backup gives.
    """
    try:
        backup = Backup(**json.loads(text, object_pairs_hook=_unlike))
        if not isinstance(backup.made_at, str) or not isinstance(backup.files, dict):
            raise TypeError("made_at is no text, or files no list of digests")
    except (ValueError, TypeError, RecursionError) as error:
        raise BackupUnusable(CONTENTS, str(error)) from error
    require_names(backup.files, BackupUnusable)
    for name, digest in backup.files.items():
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            raise BackupUnusable(name, "its SHA-256 in the list is none")
    return backup


def require_names(names: Iterable[str], refusal: type[BackupUnusable] | type[BackupIncomplete]) -> None:
    """Refuses names that lead out of a folder, or that some file system takes for one another.

    Raises: the refusal, with the first of them.
    """
    spelled: dict[str, tuple[str, bool]] = {}
    for name in names:
        if reason := misfit(name, spelled):
            raise refusal(repr(name[:200]), reason)


def misfit(name: str, spelled: dict[str, tuple[str, bool]]) -> str | None:
    """Says why no file of a backup may have a name, beside those that are there; None if one may.

    Args:
        spelled: How each name and each folder that is there is spelled, and whether it is a file's. A name
            that fits is added.
    """
    parts = name.split("/")
    is_odd = name == CONTENTS or UNSAFE.search(name) or len(name) > LONGEST_NAME
    is_odd = is_odd or len(parts) > DEEPEST or any(len(part.encode()) > LONGEST_PART for part in parts)
    if is_odd or {"", ".", ".."} & set(parts):
        return "no file of a backup may be called so"
    path = PurePosixPath(name)
    added = {_folded(str(one)): (str(one), one is path) for one in (path, *path.parents)}
    for folded, one in added.items():
        if spelled.get(folded, one) != one:
            return f"it cannot lie beside {spelled[folded][0]!r}"
    spelled.update(added)
    return None


def plain_files(folder: Path, backup: Backup) -> int:
    """Proves that a folder holds the files of a backup, all of them and nothing else, by name and kind.

    Returns: Their bytes.
    Raises: BackupUnusable, naming the first that is missing, not listed, a link or no file.
    """
    found = {name: size for name, size in _walk(folder) if name != CONTENTS}
    for name in backup.files:
        if name not in found:
            raise BackupUnusable(repr(name), "it is not there")
    for name in found:
        if name not in backup.files:
            raise BackupUnusable(repr(name), f"{CONTENTS} does not list it")
    return sum(found.values())


def copy_plain(folder: Path, backup: Backup, target: Path) -> None:
    """Copies a backup's files; what is written is what was hashed.

    Raises: BackupUnusable for the first file that is not the one that was backed up.
    """
    for name, digest in backup.files.items():
        with _open_plain(folder / name) as source:
            if copy_hashed(source, target / name, os.fstat(source.fileno()).st_mtime) != digest:
                raise BackupUnusable(repr(name), "it is not the file that was backed up")


def read_contents(folder: Path) -> Backup:
    """Returns what a folder says that it holds. Raises: BackupUnusable."""
    try:
        with _open_plain(folder / CONTENTS) as stream:
            return read_index(stream.read())
    except OSError as error:
        raise BackupUnusable(CONTENTS, f"{error}. Without it a backup was cut off") from error


def copy_hashed(source: BinaryIO, target: Path, modified_at: float) -> str:
    """Copies what is left of a stream into a new file that is its owner's. Returns: the SHA-256 of it."""
    digest = hashlib.sha256()
    _make_private(target.parent)
    with _create(target) as written:
        while piece := source.read(PIECE):
            digest.update(piece)
            written.write(piece)
    os.utime(target, (modified_at, modified_at))  # the cache of models goes by it
    return digest.hexdigest()


def hash_of(file: Path) -> str:
    """Returns the SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_room(folder: Path, needed: int, refusal: type[BackupRefused] | type[RestoreRefused]) -> None:
    """Proves that a folder's disk has room. Raises: the refusal."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise refusal(
            f"The disk of {folder} has {free:,} bytes left, and {needed:,} are needed. Make room, or name a "
            "folder on another disk."
        )


def _walk(folder: Path) -> Iterator[tuple[str, int]]:
    """Yields each file below a folder with its size. Raises: BackupUnusable for anything that is none."""
    for place, folders, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        for entry in (*folders, *files):
            name = os.path.relpath(os.path.join(place, entry), folder)  # noqa: PTH118
            found = os.stat(entry, dir_fd=descriptor, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                yield name, found.st_size
            elif not stat.S_ISDIR(found.st_mode):
                raise BackupUnusable(repr(name), "it is a link or no file, and a backup has neither")


def _open_plain(file: Path) -> BinaryIO:
    """Opens a file, never what a link leads to, and never a pipe."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BackupUnusable(repr(file.name), "it is no file")
    return os.fdopen(descriptor, "rb")


def _create(file: Path) -> BinaryIO:
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _make_private(folder: Path) -> None:
    """Makes a folder and those above it; `parents=True` would have those follow the umask."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _unlike(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a JSON object whose names differ."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it names a file twice")
    return found
