"""Predictions on the local disk until the lake has them: append-only segments, one open at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from contracts.plain_files import absolute
from contracts.put_away import QUARANTINE, REASON, put_away
from lake.bronze.predictions import SCHEMA, new_segment
from serving.log.record import LOGGED

SUFFIX, OPENING = ".arrows", ".opening"
# A segment is read as a whole when it is shipped: some 100,000 rows.
SEGMENT_BYTES = 32 * 2**20
# How an Arrow stream begins and ends.
HEAD: bytes = LOGGED.serialize().to_pybytes()
END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
COUNT_EVERY_S = 5.0
BLOCK_BYTES = 512  # of `stat`, whatever the disk's own are


class Spool:
    """A folder of segments; several processes may use it at once.

    A segment is an Arrow stream that grows by record batches. Each batch is handed to the operating system as
    it is appended, so a process that is killed loses none; a batch that a power cut tore ends the segment.
    The open segment is locked by its process: what is not locked was left, and the next process uploads it.
    What cannot be read is moved to the folder `quarantine`, with its reason beside it; nothing is deleted but
    what the lake has.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """Args: where it lies, and how many bytes may lie there."""
        self.folder = absolute(folder)
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._open: _Segment | None = None
        self._bytes, self._count_at = 0, 0.0

    def append(self, batch: pa.RecordBatch) -> None:
        """Adds rows to the open segment. Raises: OSError if they cannot be written, or there is no room."""
        content = batch.serialize()
        with self._lock:
            if self._open is not None and self._open.size >= SEGMENT_BYTES:
                self._end()
            more = len(content) + (len(HEAD + END) if self._open is None else 0)
            self._require_room(more)
            segment = self._open or self._begin()
            try:
                segment.append(content)
            except OSError:
                if not segment.is_whole:
                    # Half a batch is there, and could not be taken back: nothing may follow it.
                    self._open = None
                    segment.close()
                raise
            self._bytes += more

    def has_room(self) -> bool:
        """Returns whether more may be appended."""
        with self._lock:
            try:
                self._require_room(0)
            except OSError:
                return False
            return True

    def close(self) -> None:
        """Ends the open segment, so that it can be shipped."""
        with self._lock:
            self._end()

    @contextmanager
    def claimed(self, path: Path) -> Iterator[bool]:
        """Yields whether this process may ship a segment, which is kept from others meanwhile."""
        try:
            file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            yield False
            return
        except OSError as error:  # a folder, a link, or another's
            self.quarantine(path, f"it cannot be opened: {error.strerror}")
            yield False
            return
        try:
            if stat.S_ISREG(os.fstat(file).st_mode):
                yield self._is_mine(file)
            else:  # to read a pipe would never end
                self.quarantine(path, "it is no file")
                yield False
        finally:
            os.close(file)

    def _is_mine(self, file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return os.fstat(file).st_nlink > 0  # else another has shipped it just now

    def quarantine(self, path: Path, reason: str) -> None:
        """Puts away what cannot be shipped, with the reason. Raises: OSError."""
        put_away(path, reason)

    def quarantined(self) -> int:
        """Returns how many segments were put away."""
        with suppress(OSError):
            return sum(not path.name.endswith(REASON) for path in (self.folder / QUARANTINE).iterdir())
        return 0

    def segments(self) -> list[Path]:
        """Returns all segments, oldest first, the open ones too."""
        return sorted(self.folder.glob(f"*{SUFFIX}"))

    @property
    def bytes(self) -> int:
        """Returns what waits on the disk, and what was put away."""
        total = 0
        for path in [*self.segments(), *(self.folder / QUARANTINE).glob("*")]:
            with suppress(OSError):
                found = path.lstat()
                # A file may be longer than what it takes of the disk.
                total += min(found.st_size, BLOCK_BYTES * found.st_blocks)
        return total

    def _require_room(self, more: int) -> None:
        now = time.monotonic()
        if now >= self._count_at:
            self._bytes, self._count_at = self.bytes, now + COUNT_EVERY_S
        if self._bytes + more > self._limit_bytes:
            reason = f"it holds {self._bytes} bytes of the {self._limit_bytes} of SERVING_SPOOL_LIMIT_BYTES"
            raise OSError(errno.ENOSPC, reason)

    def _end(self) -> None:
        segment, self._open = self._open, None
        if segment is not None:
            segment.end()

    def _begin(self) -> _Segment:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._open = _Segment(self.folder / f"{new_segment(datetime.now(UTC))}{SUFFIX}")
        return self._open


class _Segment:
    """An open segment: whole batches only, also after the disk was full."""

    def __init__(self, path: Path) -> None:
        # Under another name until it is locked, so that nobody takes it for one that was left.
        unlocked = path.with_suffix(OPENING)
        self._file = os.open(unlocked, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self.size = 0
        self.is_whole = True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self.append(HEAD)
            unlocked.rename(path)
        except OSError:
            # A full disk would else get one empty file more at each try.
            with suppress(OSError):
                unlocked.unlink()
            self.close()
            raise

    def append(self, content: bytes) -> None:
        """Writes all of it or nothing. Raises: OSError."""
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            self._take_back()
            raise
        self.size += len(content)

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._file, self.size)
            os.lseek(self._file, self.size, os.SEEK_SET)
        except OSError:
            self.is_whole = False

    def end(self) -> None:
        """Ends it on the disk. Raises: OSError."""
        try:
            with suppress(OSError):  # the end may be missing: it says nothing
                self.append(END)
            os.fsync(self._file)
        finally:
            self.close()

    def close(self) -> None:
        """Lets go of it."""
        with suppress(OSError):
            os.close(self._file)


def is_blank(path: Path) -> bool:
    """Returns whether a segment was begun, and no row was written: its process was killed just then."""
    with path.open("rb") as file:
        begun = file.read(len(HEAD) + len(END) + 1)
    return (HEAD + END).startswith(begun)


def read_segment(path: Path) -> tuple[str, pa.Table, str | None]:
    """Returns a segment's name and its whole rows, as the lake takes them, and what is wrong with the
    rest."""
    segment = path.name.removesuffix(SUFFIX)
    try:
        with path.open("rb") as file:
            batches, fault = whole_batches(file)
    except OSError as error:
        batches, fault = [], f"it cannot be opened: {error.strerror}"
    table = pa.Table.from_batches(batches, LOGGED)
    table = table.append_column("segment", pa.repeat(segment, table.num_rows))
    table = table.append_column("sequence", pa.array(range(table.num_rows), pa.int32()))
    return segment, table.select(SCHEMA.names), fault


def whole_batches(file: BinaryIO) -> tuple[list[pa.RecordBatch], str | None]:
    """Returns the batches before the first that is torn or damaged, and why there are no more, or None."""
    batches: list[pa.RecordBatch] = []
    try:
        with pa.ipc.open_stream(file) as reader:
            if reader.schema != LOGGED:
                return [], "its columns are not those of a prediction"
            # One by one: what comes before a torn batch stays.
            for batch in reader:
                batch.validate(full=True)
                batches.append(batch)
            rest = len(file.read())
    except (pa.ArrowException, OSError, ValueError) as error:
        return batches, (str(error).splitlines() or [type(error).__name__])[0][:300]
    return batches, f"{rest} bytes follow its end" if rest else None
