"""Responses on their way in: bytes are on disk as they arrive, and never all in memory before their end."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO
from uuid import uuid4

from contracts.errors import MachineRefused
from contracts.outside import shown
from contracts.plain_files import absolute, is_something_else, open_plain
from contracts.put_away import QUARANTINE, put_away
from lake.bronze.landings import Provenance
from lake.objects import require_room

SUFFIX, OPENING = ".response", ".opening"
# Between a file's making and its locking lie microseconds.
OPENED_WITHIN_S = 600
# What stands in front of a body is a few hundred bytes.
LONGEST_HEAD, BEGINNING = 64 * 2**10, b'{"provenance": {'
NAME, REQUEST_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}"), re.compile(r"[A-Za-z0-9_-]{1,100}")
NO_FOLDER = "it lies where the folder of incoming responses must be, and is none"
logger = logging.getLogger(__name__)


class Arrival:
    """A response that comes in. Its file is locked until it is settled or its process ends.

    A process that is killed leaves what has come so far; `Incoming.left` finds it. The head is synced before
    the file has its name, so that a power cut leaves none without a head; what it may cost of the body is
    bounded by `keep_raw`, which syncs.
    """

    def __init__(self, path: Path, file: BinaryIO, provenance: Provenance, begins_at: int) -> None:
        self.provenance = provenance
        self._path = path
        self._file = file
        self._begins_at = begins_at

    def write(self, piece: bytes) -> None:
        """Takes the next piece. Raises: OSError, such as where the disk is full."""
        self._file.write(piece)
        self._file.flush()

    @property
    def size(self) -> int:
        """Returns how many bytes of the body have come so far."""
        return os.fstat(self._file.fileno()).st_size - self._begins_at

    @property
    def body(self) -> bytes:
        """Returns what has come so far."""
        return self.head(self.size)

    def head(self, most: int) -> bytes:
        """Returns the first bytes of what has come."""
        return os.pread(self._file.fileno(), most, self._begins_at)

    def discard(self) -> None:
        """Forgets it: the response is safe elsewhere, or of no worth."""
        self._path.unlink(missing_ok=True)
        self._close()

    def set_aside(self, reason: str) -> Path:
        """Moves its file where no start looks, with the reason beside it. Returns: where it is."""
        kept = put_away(self._path, reason)
        self._close()
        return kept

    def __enter__(self) -> Arrival:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lets go of the file; one that is not settled stays for the next start."""
        self._close()

    def _close(self) -> None:
        with suppress(OSError):  # what a full disk did not take is not taken at the end either
            self._file.close()


@dataclass(frozen=True)
class OrphanedResponse:
    """A response that a process left when it was killed.

    Attributes:
        missing: How many of its promised bytes had not come; None where none were promised.
    """

    arrival: Arrival
    missing: int | None


class Incoming:
    """The folder that responses come in through; several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._given, self._folder = folder.expanduser().absolute(), absolute(folder)

    def check(self, most: int = 0) -> None:
        """Proves that a response of so many bytes can be taken in.

        Raises: MachineRefused; StoreUnavailable where the disk has no room.
        """
        with self._reached():
            self._folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self._folder, os.W_OK | os.X_OK):
                raise PermissionError("it cannot be written to")
            require_room(self._folder, most)

    def receive(self, provenance: Provenance, promised: int | None) -> Arrival:
        """Opens the file of a response whose body comes now.

        Args:
            provenance: Where it comes from; it is written in front of the body.
            promised: The body's length in bytes, as far as the source said.

        Raises: MachineRefused if the file cannot be made.
        """
        path = self._folder / f"{provenance.request_id}{SUFFIX}"
        # Under another name until it is locked, so that nobody takes it for one that was left.
        unlocked = path.with_suffix(OPENING)
        fields = vars(provenance) | {"fetched_at": provenance.fetched_at.astimezone(UTC).isoformat()}
        head = json.dumps({"provenance": fields, "promised": promised}).encode() + b"\n"
        with self._reached():
            self._folder.mkdir(parents=True, exist_ok=True)
            file = unlocked.open("x+b")
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(head)
            file.flush()
            os.fsync(file.fileno())
            unlocked.rename(path)
        return Arrival(path, file, provenance, len(head))

    def left(self, on_unreadable: Callable[[Path, str], None]) -> Iterator[OrphanedResponse]:
        """Yields what killed processes left, each locked while the caller is at it; the caller discards it.

        Args:
            on_unreadable: Is told of each file that is no response: where it was moved to, and why.

        Raises: MachineRefused.
        """
        with self._reached():
            self._make_way(on_unreadable)
        self._clear(on_unreadable)
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            try:
                yield from _opened(path, on_unreadable)
            except OSError as error:  # it cannot even be opened
                logger.error("response_unreadable path=%s reason=%s", path, error)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Yields the folder's place, unless a link on the way leads nowhere: below it a disk may not be
        mounted.

        Raises: MachineRefused, also where something cannot be done with the folder.
        """
        begins = f"Responses cannot come in at {shown(self._given)} (SOURCE_INCOMING)"
        try:
            for place in (self._given, *self._given.parents):
                if place.is_symlink() and not place.is_dir():
                    where = f"{shown(place)} is a link to {shown(place.readlink())}, where no folder is"
                    raise MachineRefused(f"{begins}: {where}. Mount what it leads to, or take the link away.")
            yield
        except OSError as error:
            remedy = "Set it to a folder on this machine's disk that you can write, with room on it"
            raise MachineRefused(f"{begins}: {error}. {remedy}.") from error

    def _make_way(self, on_unreadable: Callable[[Path, str], None]) -> None:
        """Puts away what lies where the folder must be, and is none."""
        if not is_something_else(self._folder, stat.S_ISDIR):
            return
        with _locked(self._folder.parent):
            if is_something_else(self._folder, stat.S_ISDIR):  # no other process was faster
                found = self._folder.rename(self._folder.with_name(f"{self._folder.name}-{uuid4().hex}"))
                self._folder.mkdir()
                on_unreadable(put_away(found, NO_FOLDER, self._folder / QUARANTINE), NO_FOLDER)

    def _clear(self, on_unreadable: Callable[[Path, str], None]) -> None:
        """Removes files that a process was killed over before any body came."""
        for path in self._folder.glob(f"*{OPENING}"):
            with suppress(OSError):
                if time.time() - path.lstat().st_mtime <= OPENED_WITHIN_S:
                    continue
                if _is_begun(path):
                    path.unlink()
                else:
                    _put_away(path, "no response begins so", on_unreadable)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps other processes that ask for it out of a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path, on_unreadable: Callable[[Path, str], None]) -> Iterator[OrphanedResponse]:
    with suppress(FileNotFoundError, BlockingIOError):
        if not path.is_file():
            _put_away(path, "it is no file", on_unreadable)
            return
        try:
            opened = path.open("r+b")
        except PermissionError as error:
            _put_away(path, f"it cannot be opened: {error.strerror}", on_unreadable)
            return
        with opened as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(file.fileno()).st_nlink:
                return  # another process has settled it just now
            try:
                found = _left(path, file)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                reason = f"its head cannot be read: {type(error).__name__}: {error}"
                _put_away(path, reason, on_unreadable)
                return
            yield found


def _put_away(path: Path, reason: str, on_unreadable: Callable[[Path, str], None]) -> None:
    on_unreadable(put_away(path, reason), reason)


def _is_begun(path: Path) -> bool:
    """Returns whether a file is the head of a response, or the beginning of one."""
    try:
        with open_plain(path) as file:
            begun = file.read(LONGEST_HEAD)
            return not file.read(1) and begun[: len(BEGINNING)] == BEGINNING[: len(begun)]
    except OSError:
        return False


def _left(path: Path, file: BinaryIO) -> OrphanedResponse:
    line = file.readline(LONGEST_HEAD)
    if not line.endswith(b"\n"):
        raise ValueError(
            f"its first line does not end within {LONGEST_HEAD} bytes" if line else "it is empty"
        )
    head = json.loads(line)
    arrival = Arrival(path, file, _provenance(head["provenance"]), len(line))
    promised = head["promised"]
    if promised is not None and (type(promised) is not int or promised < 0):
        raise ValueError(f"its promised length is {shown(promised, 40)}")
    missing = None if promised is None else promised - arrival.size
    logger.warning("response_left path=%s bytes=%d missing=%s", path, arrival.size, missing)
    return OrphanedResponse(arrival, missing)


def _provenance(fields: Any) -> Provenance:
    """Reads where a response came from. Raises: ValueError, TypeError, KeyError if it makes no key."""
    found = Provenance(**fields | {"fetched_at": datetime.fromisoformat(fields["fetched_at"])})
    texts = (found.source, found.request_id, found.url, found.client_version, found.adapter)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("its provenance has something that is no text")
    if not NAME.fullmatch(found.source) or not REQUEST_ID.fullmatch(found.request_id):
        raise ValueError(f"its source is {shown(repr(found.source), 60)}, which is no source's name")
    if type(found.group) is not int or abs(found.group) >= 10**9:
        raise ValueError(f"its group is {shown(repr(found.group), 40)}")
    if found.fetched_at.tzinfo is None:
        raise ValueError("its time has no zone")
    return found
