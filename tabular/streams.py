"""Rows as an Arrow stream in an open file, up to a size."""

from __future__ import annotations

import os
from typing import BinaryIO

import pyarrow as pa

from sandbox.flat_tables import held_bytes, read_flat
from tabular.errors import TableUnreadable


class StreamWriter:
    """Writes pieces of one schema."""

    def __init__(self, file: int, limit_bytes: int) -> None:
        """Args: the open file, which is emptied, and what all pieces may take (`held_bytes`)."""
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        self._sink = pa.PythonFile(os.fdopen(file, "wb", closefd=False))
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._writer: pa.RecordBatchStreamWriter | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Writes a piece of flat columns. Raises: TableUnreadable if it is one too many; OSError."""
        self._bytes += held_bytes(batch)
        if self._bytes > self._limit_bytes:
            what = f"its values take more than {self._limit_bytes // 1_000_000:,} MB"
            raise TableUnreadable(what, "Take fewer rows, or leave out columns that are not needed.")
        if self._writer is None:
            self._writer = pa.ipc.new_stream(self._sink, batch.schema)
        self._writer.write_batch(batch)

    def end(self) -> None:
        """Writes what is left. Raises: OSError."""
        if self._writer is not None:
            self._writer.close()
        self._sink.flush()


def read_stream(file: BinaryIO, limit_bytes: int) -> pa.Table:
    """Reads what a process has written that may have been taken over: every offset is looked at.

    Args:
        file: The open file.
        limit_bytes: What `StreamWriter` was given.

    Raises: ArrowException, OSError, ValueError, MemoryError.
    """
    file.seek(0)
    return read_flat(file.read(), limit_bytes)
