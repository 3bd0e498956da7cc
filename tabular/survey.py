"""Rows for the simulator: text, as the source would send it. Dirt stays dirt; what may be two is refused."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from contracts.covertype import Column, Contract
from contracts.outside import shown
from tabular import numbers
from tabular.errors import TableUnreadable
from tabular.kinds import integers, is_text, plain_integers, words

SHOWN_CHARACTERS = 40


class Survey:
    """Makes the source's columns of rows, piece by piece.

    Attributes:
        rows: How many there were.
    """

    def __init__(self, contract: Contract) -> None:
        self._columns = contract.columns
        self._label = contract.label
        self._labels: set[int] = set()
        self.rows = 0

    def as_served(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Returns a piece as strings, under the source's names; what is missing is an empty string.

        A whole number is written without a fraction, a word without blanks; all else stays as it is.

        Raises: TableUnreadable for a number that may be two.
        """
        made = {column.source_name: self._served(column, batch[column.name]) for column in self._columns}
        self._labels |= self._ends_in(made[self._label.source_name])
        self.rows += batch.num_rows
        return pa.RecordBatch.from_pydict(made)

    def require_labels(self) -> None:
        """Looks at the labels of all rows. Raises: TableUnreadable if they are UCI's, which begin at 1."""
        first, last = self._label.minimum, self._label.maximum
        if first is None or last is None:
            return
        if self._labels == {last + 1}:
            raise TableUnreadable(
                f"its {self._label.source_name} goes to {last + 1}, as UCI counts, and the source's is "
                f"{first} to {last}",
                "Subtract 1 from each; `canopy source fetch` writes the set like that.",
            )

    def _ends_in(self, labels: pa.Array) -> set[int]:
        """Returns which are there of the contract's first label and UCI's last; dirt is neither."""
        first, last = self._label.minimum, self._label.maximum
        if first is None or last is None:
            return set()
        return {first, last + 1}.intersection(integers(pc.unique(labels)).to_pylist())

    def _served(self, column: Column, values: pa.Array) -> pa.Array:
        if column.kind != "integer":
            return self._words(column, words(values))
        texts = _texts(values)
        if plain_integers(texts) is None:
            texts = self._numbers(column, texts)
        return texts.fill_null("")

    def _numbers(self, column: Column, texts: pa.Array) -> pa.Array:
        found = texts.dictionary_encode()
        made = []
        for text in found.dictionary.to_pylist():
            if two := numbers.readings(text):
                raise TableUnreadable(
                    f"{self._place(column, texts, text)}, which may be {two[0]} or {two[1]}",
                    "Write numbers without a mark between the thousands.",
                )
            if numbers.HEXADECIMAL.fullmatch(text):
                raise TableUnreadable(
                    f"{self._place(column, texts, text)}, a number to the base 16",
                    f"Write it to the base 10, as {int(text, 16)}.",
                )
            number = numbers.whole(text)
            made.append(text if number is None else str(number))
        return pa.array(made, pa.string()).take(found.indices)

    def _place(self, column: Column, texts: pa.Array, text: str) -> str:
        row = self.rows + pc.index(texts, text).as_py() + 1
        return f"row {row} has {shown(text, SHOWN_CHARACTERS)!r} in {column.source_name}"

    def _words(self, column: Column, values: pa.Array) -> pa.Array:
        known = pa.array(column.values, pa.string())
        trimmed = pc.utf8_trim_whitespace(values)
        return pc.if_else(pc.is_in(trimmed, value_set=known), trimmed, values).fill_null("")


def _texts(values: pa.Array) -> pa.Array:
    """Returns numbers and text as text; a number that is whole without a fraction."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _texts(values.dictionary).take(values.indices)
    if is_text(kind):
        return words(values)
    whole = integers(values)
    if pa.types.is_floating(kind):
        # Wider ones would show digits that nobody wrote: 2596.43 in 32 bits is 2596.429931640625 in 64.
        values = pc.if_else(pc.is_nan(values), None, values)
    return pc.coalesce(whole.cast(pa.string()), values.cast(pa.string()))
