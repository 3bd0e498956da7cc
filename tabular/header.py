"""The first line of a CSV file: what separates its values, and the names of its columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from contracts.covertype import Column
from contracts.outside import shown
from tabular.content import AS_UTF8, Content, not_utf8
from tabular.errors import TableUnreadable
from tabular.formats import CSV, JSON_LINES, NAMES, UTF8_MARK
from tabular.names import spellings

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# A row of the contract has some 400 characters.
LINE_BYTES, SAMPLE_BYTES = 64 * 1024, 64 * 1024
END = re.compile(rb"\r\n|\n|\r")
EMPTY = re.compile(rb"(?: *+(?:\r\n|\n|\r))++")  # possessive: it keeps nothing in memory to go back to
# Excel's own way to say it.
SAID = re.compile(r"sep=([,;\t|])", re.IGNORECASE)
SHOWN_CHARACTERS = 60
BEGINNING = 4096
# The first name of a CSV file may begin with a bracket, and not like that.
JSON_BEGINNING = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\[\s*[\[{\]]|\{\s*["}])')


@dataclass(frozen=True)
class Header:
    """What the first line says.

    Attributes:
        names: Of the columns, without blanks around them; empty where a column has none.
        separator: Between two values.
        rows_at: Where the first row begins.
    """

    names: tuple[str, ...]
    separator: str
    rows_at: int


def header_of(content: Content, wanted: Sequence[Column]) -> Header:
    """Reads the first line that is not empty.

    Args:
        content: The whole file, as UTF-8.
        wanted: Columns that may be there: by their names the separator is found, and by their words which
            value has no name where rows have one more than there are names.

    Raises: TableUnreadable, naming separator, encoding or what is missing.
    """
    known = spellings(wanted)
    at = len(UTF8_MARK) if content[: len(UTF8_MARK)] == UTF8_MARK else 0
    line, at = _line(content, at)
    separators = tuple(SEPARATORS)
    if said := SAID.fullmatch(line.strip(" ")):
        separators, (line, at) = (said[1],), _line(content, at)
    names, separator = _parted(line, separators, known)
    return Header(_with_index(names, separator, content, at, known), separator, at)


def _line(content: Content, at: int) -> tuple[str, int]:
    """Returns the next line that is not empty, and where the one behind it begins."""
    empty = EMPTY.match(content, at)
    at = empty.end() if empty else at
    beginning = bytes(content[at : at + LINE_BYTES])
    if not beginning.strip():
        raise TableUnreadable(
            "it is empty", "Write the names of the columns in its first line, and a row in each line below."
        )
    end = END.search(beginning)
    if end is None and at + LINE_BYTES < len(content):
        raise TableUnreadable(f"its first line has over {LINE_BYTES} bytes", "Write each row in a line.")
    line = beginning[: end.start()] if end else beginning
    return _text(line, content), at + (end.end() if end else len(beginning))


def _text(line: bytes, content: Content) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise not_utf8(content) or TableUnreadable("its first line is not UTF-8", AS_UTF8) from None
    if "\x00" in text:
        raise TableUnreadable(
            "its first line is no text", "Send CSV in UTF-8, or name the format that it has."
        )
    return text


def _parted(line: str, separators: Sequence[str], known: Collection[str]) -> tuple[list[str], str]:
    """Returns the names, by the separator that finds the most known ones, or the most at all."""
    found = {separator: _names(line, separator) for separator in separators}
    best = max(
        separators, key=lambda one: (sum(name.casefold() in known for name in found[one]), len(found[one]))
    )
    if len(found[best]) == 1 and found[best][0].casefold() not in known:
        raise TableUnreadable(
            f"its first line is no list of names: {shown(line, SHOWN_CHARACTERS)!r} has no comma, semicolon, "
            "tab or |",
            "Separate names and values by commas.",
        )
    return found[best], best


def _names(line: str, separator: str) -> list[str]:
    try:
        return [name.strip() for name in _values(line, separator)]
    except csv.Error:
        return [line]


def _values(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])


def _with_index(
    names: list[str], separator: str, content: Content, at: int, known: Mapping[str, Column]
) -> tuple[str, ...]:
    """Returns the names, with an empty one where rows have a value more: R's row names, or one more at the
    end."""
    rows = _sample(content, at, separator)
    if not rows or any(len(row) != len(names) + 1 for row in rows):
        return tuple(names)  # whoever reads the rows says what is wrong
    columns = {place: known[name.casefold()] for place, name in enumerate(names) if name.casefold() in known}
    words = {place: frozenset(column.values) for place, column in columns.items() if column.choices}
    is_at_end, is_in_front = _fits(rows, words, 0), _fits(rows, words, 1)
    if words and is_at_end != is_in_front:
        return (*names, "") if is_at_end else ("", *names)
    if words or not columns:
        raise TableUnreadable(
            f"its rows have {len(names) + 1} values, and its first line has {len(names)} names",
            "Write a name for each column.",
        )
    return tuple(names)  # it lacks columns, which is said by their names


def _sample(content: Content, at: int, separator: str) -> list[list[str]]:
    """Returns the first rows, without the one that may be cut; none where they are no text."""
    beginning = bytes(content[at : at + SAMPLE_BYTES])
    is_cut = at + SAMPLE_BYTES < len(content)
    try:
        text = beginning.decode(errors="ignore" if is_cut else "strict")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
        rows = [row for row in reader if any(value.strip() for value in row) or len(row) > 1]
    except (UnicodeDecodeError, csv.Error):
        return []
    return rows[:-1] if is_cut else rows


def _fits(rows: Sequence[Sequence[str]], words: Mapping[int, Collection[str]], shift: int) -> bool:
    """Returns whether the contract's words stand where their names are, in half of the rows: some may be
    dirt."""
    found = sum(row[place + shift].strip() in choices for row in rows for place, choices in words.items())
    return 2 * found >= len(rows) * len(words)


def without_blank_lines(content: Content, header: Header) -> Content:
    """Returns a content without the blanks of lines that have nothing else, where it has such lines.

    Arrow takes them for a row of one value. Blanks within quotation marks stay.
    """
    blanks, separator = (b" " if header.separator == "\t" else b" \t"), re.escape(header.separator.encode())
    blank = rb"(?<=[\r\n])[%s]++(?=[\r\n]|\Z)" % blanks
    found = re.compile(blank).search(content, header.rows_at - 1)
    if found is None:
        return content
    if re.compile(rb"\s*+\Z").match(content, found.start()):
        return content[: found.start()]
    quoted = rb'(?<=[%s\r\n])"(?:[^"]++|"")*+"' % separator
    return re.sub(rb"(%s)|%s" % (quoted, blank), rb"\1", content)


def require_alike(content: Content, found: str, kind: str, wanted: Sequence[Column]) -> None:
    """Takes text as the kind that its sender names, unless it is surely another. Raises: TableUnreadable."""
    if found == JSON_LINES:
        is_other = JSON_BEGINNING.match(bytes(content[:BEGINNING])) is not None
    elif found == CSV:
        is_other = kind == JSON_LINES and _has_names(content, wanted)
    else:
        is_other = True
    if is_other:
        name = "JSON" if found == JSON_LINES else NAMES[found]
        raise TableUnreadable(f"it is {name}", f"Send it with Content-Type: {found}.")


def _has_names(content: Content, wanted: Sequence[Column]) -> bool:
    """Returns whether the first line of a text has the name of a column."""
    try:
        names = header_of(content, wanted).names
    except TableUnreadable:
        return False
    return any(name.casefold() in spellings(wanted) for name in names)
