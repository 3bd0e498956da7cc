"""Looks for rows that a file holds and its footer does not tell of: readers leave them out silently."""

from __future__ import annotations

import re
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from tabular.content import Content
from tabular.errors import TableUnreadable
from tabular.formats import ARROW_FILE, ARROW_STREAM, PARQUET_MARK

# Of an Arrow file's footer, by its schema: the fields with the blocks, the bytes of a block, and of a length.
DICTIONARIES, ROWS = 2, 3
BLOCK_SIZE, LENGTH_SIZE = 24, 4
# So often is read what only looks like a message, or like a file's end: each may be of any length.
MESSAGES_TRIED, ENDS_TRIED, MARKS_LOOKED_AT = 50, 8, 1_000
# Before a length that is not negative: a file may be filled up with the same bytes.
MARKED = re.compile(rb"(?=" + re.escape(ARROW_STREAM) + rb"[\s\S]{3}[\x00-\x7f])")


def require_listed(content: Content) -> None:
    """Looks through an Arrow file that was opened for messages that its footer does not list.

    Messages, and no gaps alone: Polars writes its schema without a frame, others fill up with zeros.

    Raises: TableUnreadable if there is one with rows among them; ArrowException, OSError.
    """
    footer_at = _footer_at(content, ARROW_FILE)
    rows = _listed(content, footer_at, ROWS)
    at, unlisted = len(ARROW_FILE), 0
    for listed in sorted(rows | _listed(content, footer_at, DICTIONARIES)):
        unlisted += _pieces_between(content, at, listed)
        at = max(at, listed + _message(content, listed, footer_at)[1])
    unlisted += _pieces_between(content, at, footer_at)
    if unlisted:
        what = f"its footer lists {len(rows):,} of its {len(rows) + unlisted:,} pieces of rows"
        raise TableUnreadable(what, "Write it anew.")


def require_one(content: Content, metadata: pq.FileMetaData) -> None:
    """Looks for another Parquet file's end behind the columns that the footer lists.

    Gaps alone say nothing: indexes and filters stand there.

    Raises: TableUnreadable if a whole file with rows ends there, and the next one begins.
    """
    groups = (metadata.row_group(place) for place in range(metadata.num_row_groups))
    columns = (group.column(place) for group in groups for place in range(group.num_columns))
    at = max((_end(column) for column in columns), default=0)
    footer_at = _footer_at(content, PARQUET_MARK)
    for _ in range(ENDS_TRIED):
        found = content.find(PARQUET_MARK * 2, at, footer_at)
        if found < 0:
            break
        at = found + len(PARQUET_MARK)
        if _has_rows(content, at):
            raise TableUnreadable("it goes on behind its end mark, as two in one", "Send each by itself.")


def require_told(metadata: pq.FileMetaData) -> None:
    """Compares how many rows a group of a Parquet file is said to have with how many values its columns have.

    Readers take the first number; a column of lists may have more values than rows, another one may not.

    Raises: TableUnreadable if one has.
    """
    flat = [
        place
        for place in range(metadata.num_columns)
        if metadata.schema.column(place).max_repetition_level == 0
    ]
    for group in (metadata.row_group(place) for place in range(metadata.num_row_groups)):
        values = max((group.column(place).num_values for place in flat), default=0)
        if values > group.num_rows:
            what = f"its footer tells of {group.num_rows:,} rows where a column has {values:,} values"
            raise TableUnreadable(what, "Write it anew.")


def _end(column: pq.ColumnChunkMetaData) -> int:
    start: int = column.data_page_offset
    if column.has_dictionary_page:
        start = min(start, column.dictionary_page_offset)
    return start + int(column.total_compressed_size)


def _has_rows(content: Content, end: int) -> bool:
    """Returns whether what stands before a place is a Parquet file by itself, with rows in it."""
    if not len(PARQUET_MARK) < _footer_at(content, PARQUET_MARK, end) < end:
        return False
    try:
        metadata = pq.read_metadata(pa.BufferReader(pa.py_buffer(content).slice(0, end)))
    except (pa.ArrowException, OSError):
        return False
    return bool(metadata.num_rows)


def _footer_at(content: Content, mark: bytes, end: int | None = None) -> int:
    """Returns where the footer begins of a file that ends here; its length stands before its last mark."""
    length_at = (len(content) if end is None else end) - len(mark) - LENGTH_SIZE
    return length_at - _number(content, length_at)


def _listed(content: Content, footer_at: int, field: int) -> set[int]:
    """Returns where the blocks of an Arrow file begin; its footer, a FlatBuffer, was looked at before."""
    table = footer_at + _number(content, footer_at)
    offsets = table - _number(content, table)
    entry = 4 + 2 * field
    offset = _number(content, offsets + entry, 2) if entry < _number(content, offsets, 2) else 0
    if not offset:
        return set()
    blocks = table + offset + _number(content, table + offset)
    first, end = blocks + 4, blocks + 4 + _number(content, blocks) * BLOCK_SIZE
    return {_number(content, at, 8) for at in range(first, end, BLOCK_SIZE)}


def _number(content: Content, at: int, size: int = 4) -> int:
    """Returns an integer, signed but for the offsets of two bytes."""
    return int.from_bytes(content[at : at + size], "little", signed=size > 2)


def _pieces_between(content: Content, start: int, end: int) -> int:
    """Returns how many whole messages with rows stand between two places, whatever else is there."""
    found, at, tries = 0, start, 0
    while at < end and tries < MESSAGES_TRIED:
        try:
            kind, size = _message(content, at, end)
        except (EOFError, pa.ArrowException, OSError):
            at, tries = _marked(content, at + 1, end), tries + 1
        else:
            found += kind == "record batch"
            at += size
    return found


def _message(content: Content, at: int, end: int) -> tuple[str, int]:
    """Returns what kind of message begins at a place, and how many bytes it has."""
    source = pa.BufferReader(pa.py_buffer(content).slice(at, max(end - at, 0)))
    message = pa.ipc.read_message(source)
    return message.type, source.tell()


def _marked(content: Content, start: int, end: int) -> int:
    """Returns the next place where a message may begin by its mark; the end where there is none."""
    for found in islice(MARKED.finditer(content, start, end), MARKS_LOOKED_AT):
        at = found.start()
        if 0 < _number(content, at + len(ARROW_STREAM)) < end - at:
            return at
    return end
