"""Reads tables in bounded pieces. Runs in a process that may die, on bytes of anybody's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from contracts.covertype import Column
from sandbox.flat_tables import is_flat
from tabular.checking import require_count
from tabular.codes import PIECE_ROWS
from tabular.content import BLOCK_BYTES, Content, has_within, not_utf8, plain
from tabular.errors import NotExact, TableUnreadable
from tabular.formats import ARROW, ARROW_FILE, CSV, JSON_LINES, NAMES, PARQUET, format_of
from tabular.header import BEGINNING, Header, header_of, require_alike, without_blank_lines
from tabular.json_rows import (
    check_lines,
    first_names,
    is_document,
    rows_of_document,
    rows_of_lines,
    text_of,
    texts_of,
)
from tabular.kinds import HEXADECIMAL, require_kinds
from tabular.names import Matched, match, unlike
from tabular.quotes import require_quotes, unreadable
from tabular.streams import require_end
from tabular.whole_files import require_listed, require_one, require_told

Pieces = Iterator[pa.RecordBatch]
T = TypeVar("T")


@dataclass(frozen=True)
class Bounds:
    """What a table may come to.

    Attributes:
        rows: How many there may be.
        bytes: What it, and each piece of it, may take when it is unpacked.
        columns: How many there may be, those that are not wanted included.
    """

    rows: int
    bytes: int
    columns: int = 100


class TableReader:
    """Reads tables of rows. Values keep the type that they are written with; they are judged later.

    Names of columns, and in JSON Lines the form of each line, are judged before any value is read. There are
    two looks: the fast one takes numbers that are written as the contract writes them, and where it meets
    another the second one reads everything as text, which `tabular.numbers` makes numbers of.
    """

    def __init__(self, wanted: Sequence[Column], bounds: Bounds, *, keeps_others: bool = False) -> None:
        """Args: the columns to be read, what a table may come to, and whether other columns are read too."""
        self._wanted = tuple(wanted)
        self._bounds = bounds
        self._keeps_others = keeps_others
        self._types = {
            column.name: pa.int64() if column.kind == "integer" else pa.string() for column in self._wanted
        }
        self._given: list[tuple[str, str]] = []

    def read(self, content: Content, kind: str | None, use: Callable[[Pieces], T]) -> T:
        """Has a table's pieces used by the fast look, and anew by the second where that is needed.

        Args:
            content: The whole file.
            kind: The format that it is said to have; None to go by its first bytes.
            use: Is given the pieces; it begins anew when it is called again.

        Returns: What `use` returns.
        Raises: TableUnreadable; OutsideContract if its columns are others, and what `use` raises.
        """
        content = plain(content, self._bounds.bytes)
        found = format_of(bytes(content[:BEGINNING]))
        if kind is not None and found != kind:
            require_alike(content, found, kind, self._wanted)
        try:
            return use(self._pieces(content, kind or found, is_exact=True))
        except NotExact:
            return use(self._pieces(content, kind or found, is_exact=False))

    def _pieces(self, content: Content, kind: str, *, is_exact: bool) -> Pieces:
        readers = {CSV: self._csv, JSON_LINES: self._json, PARQUET: self._parquet, ARROW: self._arrow}
        try:
            for batch in readers[kind](content, is_exact):
                if batch.nbytes > self._bounds.bytes:
                    raise TableUnreadable(
                        f"a piece of it takes over {self._bounds.bytes} bytes", "Send fewer rows."
                    )
                batch.validate(full=True)
                yield batch
        except MemoryError as error:  # Arrow's is one too
            raise TableUnreadable(
                "unpacked it takes more memory than a file may", "Send fewer rows."
            ) from error
        except (pa.ArrowException, OSError, ValueError, EOFError, KeyError, OverflowError) as error:
            if is_exact and kind in (CSV, JSON_LINES):
                raise NotExact from error
            raise self._damaged(content, kind, error) from error

    def _damaged(self, content: Content, kind: str, error: Exception) -> TableUnreadable:
        is_text = kind in (CSV, JSON_LINES)
        reason = (str(error).splitlines() or [type(error).__name__])[0][:300]
        return (not_utf8(content) if is_text else None) or TableUnreadable(
            f"it is damaged {NAMES[kind].removeprefix('an ')}, or none ({reason})", "Write it anew."
        )

    def as_given(self, wanted: pa.RecordBatch, piece: pa.RecordBatch) -> pa.RecordBatch:
        """Returns a piece in a person's own order and names, with the wanted columns as they were judged.

        The others are flat: lists, objects and the like are text. Raises: TableUnreadable if it is too long.
        """
        arrays = {name: self._flat(piece.column(place)) for place, name in enumerate(piece.schema.names)}
        arrays |= {name: wanted.column(name) for name in wanted.schema.names}
        given = self._given or [(name, name) for name in piece.schema.names]
        return pa.RecordBatch.from_arrays(
            [arrays[read] for read, _ in given], names=[name for _, name in given]
        )

    def _flat(self, values: pa.Array) -> pa.Array:
        if pa.types.is_dictionary(values.type):
            return self._flat(_with_plain_words(values).dictionary_decode())
        if pa.types.is_string_view(values.type):
            return values.cast(pa.string())
        if is_flat(values.type):
            return values
        return texts_of(self._within(values))

    def _within(self, values: pa.Array) -> Iterator[Any]:
        """Yields values one by one: as objects of Python's a column takes a hundred times its bytes."""
        size = 0
        for value in values:
            found = text_of(value.as_py())
            size += len(found or "")
            if size > self._bounds.bytes:
                raise TableUnreadable(
                    f"what is within a column takes over {self._bounds.bytes} bytes as text",
                    "Leave out columns that are not needed.",
                )
            yield found

    def _matched(self, names: Sequence[str]) -> Matched:
        if len(names) > self._bounds.columns:
            raise TableUnreadable(
                f"it has {len(names):,} columns, and at most {self._bounds.columns} are taken",
                "Leave some out.",
            )
        return match(names, self._wanted)

    def _csv(self, content: Content, is_exact: bool) -> Pieces:
        header = header_of(content, self._wanted)
        matched = self._matched(header.names)
        names = self._named(header.names, matched)
        require_quotes(content, header)
        if is_exact and any(has_within(content, mark) for mark in HEXADECIMAL):
            raise NotExact  # Arrow would take 0xA28 for 2600 where all else in its column is a number
        if not is_exact:
            content = without_blank_lines(content, header)
        if header.rows_at >= len(content):
            return
        try:
            options = self._csv_options(header, matched, is_exact=is_exact)
            with pa_csv.open_csv(_source(content, header.rows_at), **options) as reader:
                for batch in reader:
                    yield batch.rename_columns(names)
        except pa.ArrowInvalid as error:
            if is_exact:
                raise
            raise unreadable(error, len(header.names)) or error from error

    def _csv_options(self, header: Header, matched: Matched, *, is_exact: bool) -> dict[str, Any]:
        # Columns by number: a name may be there twice, or be missing.
        types = {str(place): pa.string() for place in self._read(matched)}
        if is_exact:
            wanted = zip(matched.places, self._wanted, strict=True)
            types |= {str(place): self._types[column.name] for place, column in wanted}
        return {
            "read_options": pa_csv.ReadOptions(
                block_size=BLOCK_BYTES,
                use_threads=False,
                column_names=[str(place) for place in range(len(header.names))],
            ),
            "parse_options": pa_csv.ParseOptions(delimiter=header.separator, newlines_in_values=not is_exact),
            "convert_options": pa_csv.ConvertOptions(
                column_types=types,
                include_columns=[str(place) for place in self._read(matched)],
                null_values=[""],
                strings_can_be_null=True,
            ),
        }

    def _named(self, names: Sequence[str], matched: Matched) -> list[str]:
        """Returns the names of the columns that are read: the contract's, then a person's own of the
        others."""
        read = dict(zip(matched.places, (column.name for column in self._wanted), strict=True))
        taken = {name.strip() for name in names} | {column.name for column in self._wanted}
        for place in matched.others if self._keeps_others else ():
            name = names[place].strip()
            if not name or name in read.values():
                name = unlike(f"{name}.{place}" if name else f"Unnamed: {place}", place, taken)
            read[place] = name
        self._given = [
            (read[place], names[place].strip() if place in matched.places else read[place])
            for place in sorted(read)
        ]
        return list(read.values())

    def _json(self, content: Content, is_exact: bool) -> Pieces:
        is_whole = is_document(content)
        if not is_whole:
            check_lines(content)
        if not is_exact or is_whole or self._keeps_others or set(first_names(content)) != set(self._types):
            rows = rows_of_document(content) if is_whole else rows_of_lines(content)
            yield from rows.pieces(self._wanted, self._bounds, keeps_others=self._keeps_others)
            return
        parse = pa_json.ParseOptions(
            explicit_schema=pa.schema(list(self._types.items())), unexpected_field_behavior="error"
        )
        read = pa_json.ReadOptions(block_size=BLOCK_BYTES, use_threads=False)
        yield from pa_json.open_json(_source(content), read_options=read, parse_options=parse)

    def _parquet(self, content: Content, _: bool) -> Pieces:
        with pq.ParquetFile(_source(content)) as opened:
            schema = opened.schema_arrow
            matched = self._looked_at(schema)
            require_count(opened.metadata.num_rows, self._bounds.rows, is_end=False)
            require_told(opened.metadata)
            require_one(content, opened.metadata)
        # A word that is there a million times is kept once.
        pairs = zip(matched.places, self._wanted, strict=True)
        words = [schema.names[place] for place, column in pairs if column.kind == "string"]
        read = [schema.names[place] for place in self._read(matched)]
        with pq.ParquetFile(_source(content), read_dictionary=words) as opened:
            self._require_unpacked(opened, read)
            found, told = 0, opened.metadata.num_rows
            for batch in opened.iter_batches(PIECE_ROWS, columns=read):
                found += batch.num_rows
                yield self._arranged(batch, schema, matched)
        if found != told:  # its groups tell of their own; who counts fewer leaves rows out without a word
            raise TableUnreadable(f"it tells of {told} rows, and has {found}", "Write it anew.")

    def _require_unpacked(self, opened: pq.ParquetFile, read: Sequence[str]) -> None:
        unpacked, wanted = 0, frozenset(read)
        for number in range(opened.num_row_groups):
            group = opened.metadata.row_group(number)
            columns = (group.column(place) for place in range(group.num_columns))
            unpacked += sum(
                column.total_uncompressed_size
                for column in columns
                if column.path_in_schema.partition(".")[0] in wanted
            )
        if unpacked > self._bounds.bytes:
            raise TableUnreadable(
                f"unpacked it has over {self._bounds.bytes} bytes", "Send fewer rows at a time."
            )

    def _arrow(self, content: Content, _: bool) -> Pieces:
        is_file = content[: len(ARROW_FILE)] == ARROW_FILE
        open_it = pa.ipc.open_file if is_file else pa.ipc.open_stream
        schema = open_it(_source(content)).schema
        matched = self._looked_at(schema)
        options = pa.ipc.IpcReadOptions(included_fields=sorted(self._read(matched)))
        source = _source(content)
        opened = open_it(source, options=options)
        numbers = range(opened.num_record_batches if is_file else 0)
        for batch in map(opened.get_batch, numbers) if is_file else opened:
            yield self._arranged(batch, schema, matched)
        if is_file:
            require_listed(content)
        else:
            require_end(content, source.tell())

    def _looked_at(self, schema: pa.Schema) -> Matched:
        matched = self._matched(schema.names)
        kinds = [schema.field(place).type for place in matched.places]
        require_kinds(list(zip(self._wanted, kinds, strict=True)))
        return matched

    def _read(self, matched: Matched) -> tuple[int, ...]:
        return matched.places + (matched.others if self._keeps_others else ())

    def _arranged(self, batch: pa.RecordBatch, schema: pa.Schema, matched: Matched) -> pa.RecordBatch:
        """Returns a piece with the wanted columns in front, under the contract's names."""
        columns = [batch.column(_place(batch, schema.names[place])) for place in self._read(matched)]
        return pa.RecordBatch.from_arrays(columns, names=self._named(schema.names, matched))


def _with_plain_words(values: pa.DictionaryArray) -> pa.DictionaryArray:
    """Returns the same without views of strings among its words: Arrow looks none of them up."""
    words = values.dictionary
    if not pa.types.is_string_view(words.type):
        return values
    return pa.DictionaryArray.from_arrays(values.indices, words.cast(pa.string()))


def _place(batch: pa.RecordBatch, name: str) -> int:
    place: int = batch.schema.get_field_index(name)
    if place < 0:
        raise TableUnreadable(f"the column {name!r} is there twice", "Leave one of them out.")
    return place


def _source(content: Content, at: int = 0) -> pa.BufferReader:
    return pa.BufferReader(pa.py_buffer(content).slice(at))
