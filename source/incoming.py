"""Responses on their way in: bytes are on disk as they arrive, before anything holds them whole."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from contracts.errors import StoreUnavailable
from lake.landings import Provenance
from lake.objects import require_room

SUFFIX, OPENING = ".response", ".opening"
# Between a file's making and its locking lie microseconds.
OPENED_WITHIN_S = 600
logger = logging.getLogger(__name__)


class Arrival:
    """A response that comes in. Its file is locked until it is settled or its process ends.

    A process that is killed leaves what has come so far; `Incoming.left` finds it. Nothing is synced here: a
    killed process loses no written byte, and what a power cut may cost is bounded by `keep_raw`, which syncs.
    """

    def __init__(self, path: Path, file: BinaryIO, provenance: Provenance, pieces: list[bytes]) -> None:
        self.provenance = provenance
        self._path = path
        self._file = file
        self._pieces = pieces

    def write(self, piece: bytes) -> None:
        """Takes the next piece."""
        self._file.write(piece)
        self._file.flush()
        self._pieces.append(piece)

    @property
    def body(self) -> bytes:
        """What has come so far."""
        return b"".join(self._pieces)

    def settle(self) -> None:
        """Forgets it: the response is safe elsewhere, or of no worth."""
        self._path.unlink(missing_ok=True)
        self._file.close()

    def __enter__(self) -> Arrival:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lets go of the file; one that is not settled stays for the next start."""
        self._file.close()


@dataclass(frozen=True)
class Left:
    """A response that a process left when it was killed.

    Attributes:
        missing: How many of its promised bytes had not come; None where none were promised.
    """

    arrival: Arrival
    missing: int | None


class Incoming:
    """The folder that responses come in through; several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser().resolve()

    def check(self) -> None:
        """Proves that a response can be taken in. Raises: StoreUnavailable."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self._folder, os.W_OK | os.X_OK):
                raise PermissionError("it cannot be written to")
            require_room(self._folder)
        except OSError as error:
            raise StoreUnavailable(str(self._folder), f"{error} (SOURCE_INCOMING)") from error

    def receive(self, provenance: Provenance, promised: int | None) -> Arrival:
        """Opens the file of a response whose body comes now.

        Args:
            provenance: Where it comes from; it is written in front of the body.
            promised: The body's length in bytes, as far as the source said.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{provenance.request_id}{SUFFIX}"
        # Under another name until it is locked, so that nobody takes it for one that was left.
        unlocked = path.with_suffix(OPENING)
        file = unlocked.open("x+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        fields = vars(provenance) | {"fetched_at": provenance.fetched_at.astimezone(UTC).isoformat()}
        file.write(json.dumps({"provenance": fields, "promised": promised}).encode() + b"\n")
        file.flush()
        unlocked.rename(path)
        return Arrival(path, file, provenance, [])

    def left(self) -> Iterator[Left]:
        """What killed processes left, each locked while the caller is at it; the caller settles it."""
        self._clear()
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            with suppress(FileNotFoundError, BlockingIOError), path.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(file.fileno()).st_nlink:  # else another process has settled it just now
                    yield _left(path, file)

    def _clear(self) -> None:
        """Removes files that a process was killed over before any body came."""
        for path in self._folder.glob(f"*{OPENING}"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > OPENED_WITHIN_S:
                    path.unlink()


def _left(path: Path, file: BinaryIO) -> Left:
    head = json.loads(file.readline())
    fields = head["provenance"]
    provenance = Provenance(**fields | {"fetched_at": datetime.fromisoformat(fields["fetched_at"])})
    body = file.read()
    missing = None if head["promised"] is None else head["promised"] - len(body)
    logger.warning("response_left path=%s bytes=%d missing=%s", path, len(body), missing)
    return Left(Arrival(path, file, provenance, [body]), missing)
