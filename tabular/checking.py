"""Holds a table of rows against the contract, thousands of values at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.covertype import Column, Contract
from contracts.errors import OutsideContract
from contracts.prediction import Violation, allowed, named
from contracts.reading import LISTED_VIOLATIONS, shown
from tabular import numbers
from tabular.codes import PIECE_ROWS, Codes
from tabular.kinds import integers, words

Keep = Callable[[Codes, pa.RecordBatch], object]


class FileChecker:
    """Finds every value outside the contract, and counts those that it does not list."""

    def __init__(self, contract: Contract, row_limit: int, piece_rows: int = PIECE_ROWS) -> None:
        self._columns: Sequence[Column] = contract.features
        self._piece_rows = piece_rows
        self._choices = {
            column.name: pa.array(column.values, pa.string()) for column in self._columns if column.choices
        }
        self._row_limit = row_limit

    def check(self, pieces: Iterable[pa.RecordBatch], keep: Keep) -> int:
        """Looks at all rows.

        Args:
            pieces: The rows, with the contract's names.
            keep: Is given the codes of the rows of each piece, shape (n_columns, n_rows), and the piece;
                whole numbers are their own codes, words are numbered as the contract lists them.

        Returns: How many there are.
        Raises: OutsideContract, naming the first hundred faults; row 1 is the first below the names.
        """
        found: list[Violation] = []
        total, rows = 0, 0
        for batch in self._bounded(pieces):
            codes = np.empty((len(self._columns), batch.num_rows), np.int32)
            for place, column in enumerate(self._columns):
                wrong = self._judge(column, batch[column.name], codes[place])
                total += len(wrong)
                room = LISTED_VIOLATIONS - len(found)
                found += [_violation(column, batch, int(row), rows) for row in wrong[:room]]
            rows += batch.num_rows
            self.require_count(rows, is_end=False)
            if not total:
                keep(codes, batch)
        self.require_count(rows, is_end=True)
        if found:
            raise OutsideContract(named(sorted(found, key=lambda item: item.row or 0)), total)
        return rows

    def _bounded(self, pieces: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in pieces:
            for start in range(0, batch.num_rows, self._piece_rows):
                yield batch.slice(start, self._piece_rows)

    def require_count(self, rows: int, *, is_end: bool) -> None:
        """Looks at how many rows there are. Raises: OutsideContract."""
        require_count(rows, self._row_limit, is_end=is_end)

    def _judge(self, column: Column, values: pa.Array, codes: Codes) -> NDArray[np.intp]:
        """Writes the codes of a column, and returns the positions of what is missing or outside."""
        found = self._numbered(column, values) if column.choices else _inside(column, values)
        wrong = np.flatnonzero(np.asarray(found.is_null().to_numpy(zero_copy_only=False), bool))
        codes[:] = found.fill_null(0).to_numpy(zero_copy_only=False)
        return wrong

    def _numbered(self, column: Column, values: pa.Array) -> pa.Array:
        """Returns the place of each word among the contract's, or null; a word is looked up once where it
        can be."""
        choices = self._choices[column.name]
        if pa.types.is_dictionary(values.type):
            return _places(words(values.dictionary), choices).take(values.indices)
        return _places(words(values), choices)


def require_count(rows: int, limit: int, *, is_end: bool) -> None:
    """Looks at how many rows a file has. Raises: OutsideContract."""
    if rows > limit or (is_end and rows == 0):
        how_many = f"more than {limit} rows" if rows else "0 rows"
        wanted = f"file of 1 to {limit} rows"
        violation = Violation(row=None, field="rows", value=how_many, allowed=wanted, reason="count")
        raise OutsideContract(named([violation]), 1)


def _places(values: pa.Array, choices: pa.Array) -> pa.Array:
    found = pc.index_in(values, value_set=choices)
    if found.null_count > values.null_count:
        found = pc.index_in(pc.utf8_trim_whitespace(values), value_set=choices)
    return found


def _inside(column: Column, values: pa.Array) -> pa.Array:
    """Returns the numbers that the contract allows, and null in place of others."""
    values = integers(values)
    low, high = pa.scalar(column.minimum, pa.int64()), pa.scalar(column.maximum, pa.int64())
    is_inside = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
    return pc.if_else(is_inside, values, None).cast(pa.int32())


def _violation(column: Column, batch: pa.RecordBatch, place: int, before: int) -> Violation:
    value = batch[column.name][place].as_py()
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    elif isinstance(value, float) and math.isnan(value):
        value = "NaN"
    wanted, reason = allowed(column), "missing" if value is None else "choice" if column.choices else "bounds"
    if reason == "bounds":
        wanted, reason = _of_number(wanted, value)
    return Violation(
        row=before + place + 1,
        field=column.name,
        value=shown(value),
        allowed=wanted,
        reason=reason,  # type: ignore[arg-type]
    )


def _of_number(wanted: str, value: object) -> tuple[str, str]:
    """Returns what is allowed in place of a value that is not inside, and why it is not."""
    if isinstance(value, str) and (two := numbers.readings(value)):
        return f"{wanted}, without a mark between its digits, for this may be {two[0]} or {two[1]}", "type"
    is_whole = numbers.whole(str(value)) is not None
    return wanted, "bounds" if is_whole else "type"
