"""Rows as an Arrow stream: written up to a size, and read to the mark at its end or not at all."""

from __future__ import annotations

import os
from typing import BinaryIO

import pyarrow as pa

from sandbox.flat_tables import held_bytes, read_flat
from tabular.content import BLOCK_BYTES, Content
from tabular.errors import TableUnreadable
from tabular.formats import ARROW_END, ARROW_SHORT_END


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


def require_end(content: Content, at: int) -> None:
    """Looks at where a stream was read to: without a mark there it may have been cut between two pieces.

    Raises: TableUnreadable if it has no end there, or goes on.
    """
    if content[max(at - len(ARROW_END), 0) : at] != ARROW_END and not _has_short_end(content, at):
        raise TableUnreadable(
            "it ends before its end mark, as one that was cut", "Copy it anew, or write it anew and close it."
        )
    # All of it: a tape is filled up with zeros, and another stream may stand behind any number of them.
    blocks = (content[start : start + BLOCK_BYTES] for start in range(at, len(content), BLOCK_BYTES))
    if any(block.strip(b"\x00") for block in blocks):
        raise TableUnreadable("it goes on behind its end mark, as two in one", "Send each by itself.")


def _has_short_end(content: Content, at: int) -> bool:
    """Returns whether the stream is whole without its last four bytes, which are zeros: older writers end
    one so."""
    start = at - len(ARROW_SHORT_END)
    if content[start:at] != ARROW_SHORT_END:
        return False
    messages = pa.ipc.MessageReader.open_stream(pa.py_buffer(content).slice(0, start))
    try:
        while True:
            messages.read_next_message()
    except StopIteration:
        return True
    except (pa.ArrowException, OSError):  # the zeros are those of the last piece
        return False
