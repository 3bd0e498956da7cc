"""Rows in JSON: one object a line, or a document of them, as programs and people write it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from contracts.covertype import Column
from contracts.outside import shown
from tabular.codes import PIECE_ROWS
from tabular.content import AS_UTF8, BLOCK_BYTES, Content, not_utf8
from tabular.errors import TableUnreadable
from tabular.formats import JSON_LINES, NAMES, UTF8_MARK
from tabular.kinds import EXACT
from tabular.names import match, spellings

# A row of the contract has some 400 characters, and no brackets but its own.
LINE_BYTES, BRACKETS = 64 * 1024, 64
# A document is in memory as a whole, as objects that take some ten times its bytes.
DOCUMENT_BYTES = 32 * 2**20
NEWLINE, OPENING = ord("\n"), (ord("["), ord("{"))
ROWS, ROWS_WITHIN = "rows", 64
SHOWN_CHARACTERS = 80
AS_OBJECTS = 'Write each row as an object with the names, such as {"elevation_m": 2596, …}.'

Row = Mapping[str, Any]


@dataclass(frozen=True)
class JsonRows:
    """Rows as objects, each with names in any of their spellings."""

    rows: Iterable[object]

    def pieces(
        self, wanted: Sequence[Column], bounds: Any, *, keeps_others: bool
    ) -> Iterator[pa.RecordBatch]:
        """Yields the rows in pieces, with the contract's names; a name that a row lacks is missing there.

        Raises: TableUnreadable, naming the row.
        """
        others: dict[str, None] = {}
        if keeps_others:
            rows = list(self.rows)
            known = spellings(wanted)
            names = (name for row in rows if isinstance(row, dict) for name in row)
            others = dict.fromkeys(name for name in names if name.casefold() not in known)
            if len(others) + len(wanted) > bounds.columns:
                raise TableUnreadable(
                    f"it has {len(others) + len(wanted):,} columns, and at most {bounds.columns} are taken",
                    "Leave some out.",
                )
        else:
            rows = self.rows  # type: ignore[assignment]
        for place, piece in enumerate(_cut(named_rows(rows, wanted))):
            if place == 0:
                _require_columns(piece, wanted)
            columns = {column.name: column_of([row.get(column.name) for row in piece]) for column in wanted}
            columns |= {name: texts_of([row.get(name) for row in piece]) for name in others}
            yield pa.RecordBatch.from_pydict(columns)


def _require_columns(rows: Sequence[Row], wanted: Sequence[Column]) -> None:
    """Looks at the names of all rows, as in GeoJSON none is wanted: there they are listed.

    A row may lack some, which are missing in it. Raises: OutsideContract.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    if not any(column.name in names for column in wanted):
        match(list(names), wanted)


def named_rows(rows: Iterable[object], wanted: Sequence[Column]) -> Iterator[Row]:
    """Yields rows with the contract's names in place of other spellings. Raises: TableUnreadable, naming
    the row."""
    known = {spelling: column.name for spelling, column in spellings(wanted).items()}
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            said = shown(json.dumps(row), SHOWN_CHARACTERS)
            raise TableUnreadable(f"row {number} is no object with names: {said}", AS_OBJECTS)
        named: Row = {known.get(str(name).casefold(), str(name)): value for name, value in row.items()}
        if len(named) != len(row):
            raise TableUnreadable(
                f"row {number} has a column twice, under two names", "Leave one of them out."
            )
        yield named


def column_of(values: Sequence[Any]) -> pa.Array:
    """Returns values as numbers where all are, else as text: a column's type says nothing of one value's."""
    kinds = {type(value) for value in values if value is not None}
    try:
        if kinds <= {int}:
            return pa.array(values, pa.int64())
        if kinds <= {int, float} and all(abs(value) < EXACT for value in values if type(value) is int):
            return pa.array(values, pa.float64(), from_pandas=False)
    except (OverflowError, pa.ArrowInvalid):  # more than 64 bits
        pass
    return texts_of(values)


def texts_of(values: Iterable[Any]) -> pa.Array:
    """Returns values as text, each as JSON has it; text is itself."""
    return pa.array([text_of(value) for value in values], pa.string())


def text_of(value: Any) -> str | None:
    """Returns a value as JSON has it, and as Python writes it where JSON has none of its kind; text is
    itself."""
    if value is None or isinstance(value, str):
        # Half of a surrogate pair can be sent, and cannot be kept.
        return value if value is None else value.encode("utf-8", "replace").decode()
    return json.dumps(value, default=str)


def is_document(content: Content) -> bool:
    """Returns whether the rows are one JSON value: a list, an object with `rows`, or an object over
    several lines."""
    beginning = bytes(content[: LINE_BYTES + 1]).removeprefix(UTF8_MARK).lstrip()
    if not beginning.startswith(b"{"):
        return beginning.startswith(b"[")
    if f'"{ROWS}"'.encode() in beginning[:ROWS_WITHIN]:
        return True
    line, end, _ = beginning.partition(b"\n")
    return bool(end) and line.strip() in (b"{", b"[")


def rows_of_document(content: Content) -> JsonRows:
    """Reads a list of objects, an object with `rows`, or one row as an object. Raises: TableUnreadable."""
    if len(content) > DOCUMENT_BYTES:
        raise TableUnreadable(
            f"it is one JSON value of over {DOCUMENT_BYTES} bytes", "Send it as JSON Lines: one row a line."
        )
    found = _value(bytes(content).removeprefix(UTF8_MARK), "it")
    if isinstance(found, dict) and ROWS in found:
        if len(found) > 1:
            more = ", ".join(repr(shown(name, SHOWN_CHARACTERS)) for name in list(found)[:5] if name != ROWS)
            raise TableUnreadable(f"it has {more} beside rows", "Leave all but rows out.")
        found = found[ROWS]
    elif isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        said = shown(json.dumps(found), SHOWN_CHARACTERS)
        raise TableUnreadable(f"it is no list of rows: {said}", AS_OBJECTS)
    return JsonRows(found)


def rows_of_lines(content: Content) -> JsonRows:
    """Reads an object a line; empty lines are passed over. Raises: TableUnreadable, naming the row."""
    return JsonRows(_line_values(content))


def _line_values(content: Content) -> Iterator[object]:
    number = 0
    for line in _lines(content):
        rest = line.strip()
        while rest:  # several objects in a line are several rows, as Arrow's reader has it too
            number += 1
            value, rest = _first_value(rest, f"row {number}")
            yield value


def _lines(content: Content) -> Iterator[bytes]:
    rest, at = b"", len(UTF8_MARK) if content[: len(UTF8_MARK)] == UTF8_MARK else 0
    for start in range(at, len(content), BLOCK_BYTES):
        *whole, rest = (rest + content[start : start + BLOCK_BYTES]).split(b"\n")
        yield from whole
    yield rest


def _value(text: bytes, what: str) -> object:
    value, rest = _first_value(text.strip(), what)
    if rest:
        raise TableUnreadable(
            f"{what} goes on behind its end: {shown(rest.decode(errors='replace'), SHOWN_CHARACTERS)}",
            "Send one list of rows, or JSON Lines: one row a line.",
        )
    return value


def _first_value(text: bytes, what: str) -> tuple[object, bytes]:
    """Returns a value of JSON, and what is behind it."""
    try:
        found = text.decode()
        value, end = DECODER.raw_decode(found)
    except UnicodeDecodeError as error:
        raise not_utf8(text) or TableUnreadable(f"{what} is not UTF-8 ({error.reason})", AS_UTF8) from None
    except RecursionError:
        raise TableUnreadable(f"{what} is JSON that is nested too deeply", AS_OBJECTS) from None
    except ValueError as error:
        raise TableUnreadable(f"{what} is not JSON: {str(error)[:200]}", AS_OBJECTS) from None
    return value, found[end:].strip().encode()


def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Returns an object of JSON. Raises: ValueError if a name is there twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the name {twice[:80]!r} is there twice in one object")
    return found


def _exact(text: str) -> float | str:
    """Returns a fraction; text where the nearest float is a whole number and it is none, for nothing is
    rounded."""
    value = float(text)
    if not value.is_integer():
        return value
    try:
        return value if Decimal(text) == value else text
    except ArithmeticError:  # an exponent of many digits
        return text


DECODER = json.JSONDecoder(object_pairs_hook=once, parse_float=_exact)


def _cut(rows: Iterable[Row]) -> Iterator[list[Row]]:
    piece: list[Row] = []
    for row in rows:
        piece.append(row)
        if len(piece) == PIECE_ROWS:
            yield piece
            piece = []
    if piece:
        yield piece


def first_names(content: Content) -> Sequence[str]:
    """Returns the names in the first line of JSON, if it has any."""
    line = next((line for line in _lines(content) if line.strip()), b"")
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return []
    return list(found) if isinstance(found, dict) else []


def check_lines(content: Content) -> None:
    """Bounds what Arrow's reader of JSON, which calls itself for each bracket, would take any amount of.

    Raises: TableUnreadable.
    """
    line, begun, brackets = 1, 0, 0
    for start in range(0, len(content), BLOCK_BYTES):
        block = np.frombuffer(content[start : start + BLOCK_BYTES], np.uint8)
        ends = np.append(np.flatnonzero(block == NEWLINE), len(block))
        opened = np.flatnonzero((block == OPENING[0]) | (block == OPENING[1]))
        lengths = np.diff(ends, prepend=-1) - 1
        # What is in front of each end, less what is in front of the one before.
        counts = np.diff(np.searchsorted(opened, ends), prepend=0)
        lengths[0] += begun
        counts[0] += brackets
        too_long = np.flatnonzero((lengths > LINE_BYTES) | (counts > BRACKETS))
        if len(too_long):
            what = f"line {line + int(too_long[0])} has over {LINE_BYTES} bytes or {BRACKETS} brackets"
            raise TableUnreadable(f"{what}, as no row in {NAMES[JSON_LINES]} has", AS_OBJECTS)
        line += len(ends) - 1
        begun, brackets = int(lengths[-1]), int(counts[-1])
