"""Predictions on the local disk until the lake has them: append-only segments, one open at a time."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from lake.predictions import SCHEMA, new_segment
from serving.record import LOGGED

SUFFIX, OPENING = ".arrows", ".opening"
# A segment is read as a whole when it is shipped: some 100,000 rows.
SEGMENT_BYTES = 32 * 2**20


class Spool:
    """A folder of segments; several processes may use it at once.

    A segment is an Arrow stream that grows by record batches. Each batch is handed to the operating system as
    it is appended, so a process that is killed loses none; a batch that a power cut tore ends the segment.
    The open segment is locked by its process: what is not locked was left, and whoever comes next ships it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().resolve()
        self._lock = threading.Lock()
        self._open: tuple[BinaryIO, pa.ipc.RecordBatchStreamWriter] | None = None

    def append(self, batch: pa.RecordBatch) -> None:
        """Adds rows to the open segment. Raises: OSError if they cannot be written."""
        with self._lock:
            if self._open is not None and self._open[0].tell() >= SEGMENT_BYTES:
                self._end()
            file, writer = self._open or self._begin()
            try:
                writer.write_batch(batch)
                file.flush()
            except OSError:
                # Half a batch may be there: nothing may follow it.
                self._open = None
                with suppress(OSError):
                    file.close()
                raise

    def close(self) -> None:
        """Ends the open segment, so that it can be shipped."""
        with self._lock:
            self._end()

    @contextmanager
    def claimed(self, path: Path) -> Iterator[bool]:
        """Whether this process may ship a segment, which is kept from others meanwhile."""
        with suppress(FileNotFoundError, BlockingIOError), path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield os.fstat(file.fileno()).st_nlink > 0  # else another has shipped it just now
            return
        yield False

    def segments(self) -> list[Path]:
        """All segments, oldest first, the open ones too."""
        return sorted(self.folder.glob(f"*{SUFFIX}"))

    @property
    def bytes(self) -> int:
        """What waits on the disk."""
        total = 0
        for path in self.segments():
            with suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def _end(self) -> None:
        if self._open is None:
            return
        (file, writer), self._open = self._open, None
        with file:
            writer.close()
            file.flush()
            os.fsync(file.fileno())

    def _begin(self) -> tuple[BinaryIO, pa.ipc.RecordBatchStreamWriter]:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{new_segment(datetime.now(UTC))}{SUFFIX}"
        # Under another name until it is locked, so that nobody takes it for one that was left.
        unlocked = path.with_suffix(OPENING)
        file = unlocked.open("xb")
        fcntl.flock(file, fcntl.LOCK_EX)
        unlocked.rename(path)
        self._open = file, pa.ipc.new_stream(file, LOGGED)
        return self._open


def read_segment(path: Path) -> tuple[str, pa.Table]:
    """A segment's name and its whole rows, as the lake takes them; a torn end is left out."""
    segment = path.name.removesuffix(SUFFIX)
    batches: list[pa.RecordBatch] = []
    with suppress(pa.ArrowInvalid, OSError), path.open("rb") as file, pa.ipc.open_stream(file) as reader:
        # One by one: what comes before a torn batch stays.
        while True:
            try:
                batches.append(reader.read_next_batch())
            except StopIteration:
                break
    table = pa.Table.from_batches(batches, LOGGED)
    place = {
        "segment": pa.repeat(segment, table.num_rows),
        "sequence": pa.array(range(table.num_rows), pa.int32()),
    }
    for name, column in place.items():
        table = table.append_column(name, column)
    return segment, table.select(SCHEMA.names)
