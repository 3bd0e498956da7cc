"""Holds a file of rows against the contract, thousands of values at a time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.covertype import Column, Contract
from contracts.errors import OutsideContract
from contracts.prediction import Violation, allowed, named
from contracts.reading import LISTED_VIOLATIONS, shown


class FileChecker:
    """Finds every value outside the contract, and counts those that it does not list."""

    def __init__(self, contract: Contract, row_limit: int) -> None:
        self._columns = contract.features
        self._row_limit = row_limit
        self._schema = pa.schema(
            [
                (column.name, pa.int64() if column.kind == "integer" else pa.string())
                for column in self._columns
            ]
        )

    def check(self, pieces: Iterable[pa.RecordBatch]) -> int:
        """Looks at all rows.

        Returns: How many there are.
        Raises: OutsideContract, naming the first hundred faults.
        """
        found: list[Violation] = []
        total, rows = 0, 0
        for batch in pieces:
            if rows == 0:
                self._require_columns(batch.schema)
            for column in self._columns:
                wrong = self._wrong(column, batch[column.name])
                total += len(wrong)
                room = LISTED_VIOLATIONS - len(found)
                found += [_violation(column, batch, int(place), rows) for place in wrong[:room]]
            rows += batch.num_rows
            self._require_count(rows, is_end=False)
        self._require_count(rows, is_end=True)
        if found:
            raise OutsideContract(named(sorted(found, key=lambda item: item.row or 0)), total)
        return rows

    def typed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The features of a checked piece, in the contract's order, as int64 and strings."""
        columns = [pc.cast(batch[item.name], item.type) for item in self._schema]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _require_columns(self, schema: pa.Schema) -> None:
        names = {column.name: column for column in self._columns}
        found = [
            Violation(row=None, field=name, value=None, allowed=allowed(column), reason="missing")
            for name, column in names.items()
            if name not in schema.names
        ]
        only = f"only the columns {', '.join(names)}, each once"
        for position, name in enumerate(schema.names):
            if name not in names or name in schema.names[:position]:
                found.append(
                    Violation(row=None, field=shown(name), value=None, allowed=only, reason="unknown")
                )
            elif not _fits(names[name], schema.field(position).type):
                kind = str(schema.field(position).type)
                found.append(
                    Violation(row=None, field=name, value=kind, allowed=allowed(names[name]), reason="type")
                )
        if found:
            raise OutsideContract(named(found[:LISTED_VIOLATIONS]), len(found))

    def _require_count(self, rows: int, *, is_end: bool) -> None:
        if rows > self._row_limit or (is_end and rows == 0):
            how_many = f"more than {self._row_limit} rows" if rows else "0 rows"
            wanted = f"file of 1 to {self._row_limit} rows"
            violation = Violation(row=None, field="rows", value=how_many, allowed=wanted, reason="count")
            raise OutsideContract(named([violation]), 1)

    def _wrong(self, column: Column, values: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        """Positions of what is missing or outside."""
        if column.choices:
            fits = pc.is_in(values.cast(pa.string()), value_set=pa.array(column.values, pa.string()))
        else:
            low, high = pa.scalar(column.minimum), pa.scalar(column.maximum)
            fits = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
        is_right = np.asarray(pc.fill_null(fits, False).to_numpy(zero_copy_only=False), dtype=bool)
        return np.flatnonzero(~is_right)


def _fits(column: Column, kind: pa.DataType) -> bool:
    """Whether a column's values may be judged: the right kind, or nothing but missing ones."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if column.kind == "integer":
        return bool(pa.types.is_integer(kind) or pa.types.is_null(kind))
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _violation(column: Column, batch: pa.RecordBatch, place: int, before: int) -> Violation:
    value = batch[column.name][place].as_py()
    reason = "missing" if value is None else "choice" if column.choices else "bounds"
    return Violation(
        row=before + place,
        field=column.name,
        value=shown(value),
        allowed=allowed(column),
        reason=reason,  # type: ignore[arg-type]
    )
