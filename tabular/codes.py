"""Rows as plain numbers: how checked files come out of the process that read them.

A piece of up to `PIECE_ROWS` rows is twelve columns of int32 in the contract's order, one behind the other;
all pieces but the last are full. Numbers are themselves, words their places among the contract's choices.
Whoever reads it needs no parser, and trusts nothing: the size and every number are looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.covertype import Column, Contract

# So many rows go through one tree while it lies in the cache, and so many are in memory at once.
PIECE_ROWS = 16_384
BYTES = 4

Codes = NDArray[np.int32]


class CodesWriter:
    """Takes pieces of any length and writes full ones."""

    def __init__(self, file: int, n_columns: int) -> None:
        """Args: the open file, which is emptied, and the columns."""
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        self._file = file
        self._piece = np.empty((n_columns, PIECE_ROWS), np.int32)
        self._rows = 0

    def add(self, codes: Codes) -> None:
        """Takes some rows, shape (n_columns, n_rows). Raises: OSError."""
        done = 0
        while done < codes.shape[1]:
            count = min(codes.shape[1] - done, PIECE_ROWS - self._rows)
            self._piece[:, self._rows : self._rows + count] = codes[:, done : done + count]
            self._rows += count
            done += count
            if self._rows == PIECE_ROWS:
                self.end()

    def end(self) -> None:
        """Writes what is left. Raises: OSError."""
        rest = memoryview(np.ascontiguousarray(self._piece[:, : self._rows]).tobytes())
        self._rows = 0
        while rest:
            rest = rest[os.write(self._file, rest) :]


class CodesReader:
    """Makes the contract's columns of them again."""

    def __init__(self, contract: Contract) -> None:
        self._columns = contract.features
        self._schema = pa.schema(
            [
                (column.name, pa.int64() if column.kind == "integer" else pa.string())
                for column in self._columns
            ]
        )
        self._words = {
            column.name: pa.array(column.values, pa.string()) for column in self._columns if column.choices
        }

    def is_whole(self, file: BinaryIO, rows: int) -> bool:
        """Returns whether the size is that of so many rows."""
        return os.fstat(file.fileno()).st_size == rows * len(self._columns) * BYTES

    def pieces(self, file: BinaryIO, rows: int) -> Iterator[pa.RecordBatch]:
        """Yields the rows, piece by piece, in the contract's order, as int64 and strings.

        Raises: ValueError if a number is outside the contract; OSError.
        """
        width, at = len(self._columns), 0
        for start in range(0, rows, PIECE_ROWS):
            count = min(PIECE_ROWS, rows - start)
            content = os.pread(file.fileno(), count * width * BYTES, at)
            at += len(content)
            yield self.decoded(np.frombuffer(content, np.int32).reshape(width, count))

    def decoded(self, codes: Codes) -> pa.RecordBatch:
        """Returns the columns of some codes. Raises: ValueError if a number is outside the contract."""
        columns = [self._column(column, values) for column, values in zip(self._columns, codes, strict=True)]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _column(self, column: Column, values: Codes) -> pa.Array:
        low, high = (0, len(column.values) - 1) if column.choices else (column.minimum, column.maximum)
        if low is None or high is None or values.min() < low or values.max() > high:
            raise ValueError(f"the codes of {column.name} are {values.min()} to {values.max()}")
        if column.choices:
            return pc.take(self._words[column.name], pa.array(values))
        return pa.array(values.astype(np.int64))
