"""What Arrow cannot read in CSV: quotation marks that swallow the rows below them, and rows of other widths.

A mark opens a value where it is the value's first character, as Arrow has it; anywhere else in a value that
none opens it is itself, as in `5" tree`. Ditto marks are such first characters: from one of them to the next,
all lines would be one value, and the rows in it would be gone without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tabular.content import BLOCK_BYTES, Content
from tabular.errors import TableUnreadable
from tabular.header import END, Header

CLOSE_IT = "Close it, or double a mark that is meant."
MARK, NEWLINE, RETURN = ord('"'), ord("\n"), ord("\r")
# Any number of values without quotation marks, and one that may have them.
VALUES = rb'(?:(?!")[^,\r\n]*+,)*+(?:"((?:[^"]++|"")*+)("|\Z))?+[^,\r\n]*+'
# Of a value's text between the separators. A row of the contract has ten numbers, and a note of several lines
# seldom has so many commas and five pieces that begin with a digit.
NUMBER, FEWEST_NUMBERS = re.compile(rb"\s*[+-]?[0-9]"), 5
# In Arrow's words. Its handler of such rows would be given their text, which need not be any.
WIDTHS = re.compile(r"^CSV parse error: (?:Row #(\d+): )?Expected \d+ columns, got (\d+)")


def require_quotes(content: Content, header: Header) -> None:
    """Looks at all quotation marks below the names; lines in which each opens and closes take no time.

    Raises: TableUnreadable, naming the line of a mark that never closes, or that swallows rows.
    """
    separator, done = header.separator.encode(), header.rows_at
    values = re.compile(VALUES.replace(b",", re.escape(separator)))
    for start, end in _blocks(content, header.rows_at):
        block = content[start:end]
        if MARK not in block:
            continue
        for line in _doubtful(np.frombuffer(block, np.uint8), ord(separator)):
            if start + line >= done:
                done = _end_of_row(content, start + line, values, separator, len(header.names))


def _blocks(content: Content, start: int) -> Iterator[tuple[int, int]]:
    """Yields parts of whole lines."""
    while start < len(content):
        found = END.search(content, start + BLOCK_BYTES) if start + BLOCK_BYTES < len(content) else None
        end = found.end() if found else len(content)
        yield start, end
        start = end


def _doubtful(block: NDArray[np.uint8], separator: int) -> list[int]:
    """Returns where the lines begin in which not every mark surely opens a value, closes it or is doubled."""
    marks = np.flatnonzero(block == MARK)
    ends = np.flatnonzero((block == NEWLINE) | (block == RETURN))
    line_of = np.searchsorted(ends, marks)
    counts = np.bincount(line_of, minlength=len(ends) + 1)
    before = np.cumsum(counts) - counts
    is_opening = (np.arange(len(marks)) - before[line_of]) % 2 == 0
    border = np.full(1, NEWLINE, np.uint8)
    bordered = np.concatenate([border, block, border])  # of position p the neighbours are p and p + 2
    is_border = np.zeros(256, bool)
    is_border[[separator, MARK, NEWLINE, RETURN]] = True
    is_plain = is_border[bordered[marks + 2 * ~is_opening]]
    doubtful = np.union1d(np.flatnonzero(counts % 2), line_of[~is_plain])
    starts = np.concatenate([[0], ends + 1])[doubtful]
    return [int(start) for start in starts]


def _end_of_row(
    content: Content, start: int, values: re.Pattern[bytes], separator: bytes, columns: int
) -> int:
    """Reads the values of a row as Arrow does, and returns where the next line begins."""
    at = start
    while found := values.match(content, at):
        if found.group(2) == b"":
            line = _line_number(content, found.start(1))
            raise TableUnreadable(
                f"it has a quotation mark that opens in line {line} and never closes", CLOSE_IT
            )
        if _is_swallowing(found.group(1) or b"", separator, columns):
            line = _line_number(content, found.start(1))
            raise TableUnreadable(
                f"a quotation mark that opens in line {line} swallows the lines after it",
                "Double it or remove it.",
            )
        at = found.end() + 1
        if content[found.end() : at] != separator:
            break
    end = END.match(content, at - 1)
    return end.end() if end else len(content)


def _is_swallowing(text: bytes, separator: bytes, columns: int) -> bool:
    """Returns whether a quoted value holds a row: a line end, all its separators, and numbers between
    them."""
    if END.search(text) is None or text.count(separator) < columns - 1:
        return False
    pieces = re.split(rb"[\r\n]|" + re.escape(separator), text)
    return sum(NUMBER.match(piece) is not None for piece in pieces) >= FEWEST_NUMBERS


def _line_number(content: Content, at: int) -> int:
    return 1 + sum(1 for _ in END.finditer(content, 0, at))


def unreadable(error: pa.ArrowInvalid, names: int) -> TableUnreadable | None:
    """Returns what to say of rows that Arrow refuses; None where they are damaged in another way."""
    if found := WIDTHS.search(str(error)):
        row, values = found.groups()
        return TableUnreadable(
            f"{f'row {row}' if row else 'a row'} has {values} value{'s' * (values != '1')}, "
            f"and the first line has {names} names",
            "Give each row as many; a value with a separator in it stands in quotation marks.",
        )
    if "straddl" not in str(error):
        return None
    what = f"a value in it has over {BLOCK_BYTES} bytes, as where a quotation mark opens and none closes"
    return TableUnreadable(what, CLOSE_IT)
