"""Files of rows: read in bounded pieces by their content type, and answered in the asked one."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from contracts.covertype import Contract
from contracts.errors import FileUnreadable

CSV, JSON_LINES = "text/csv", "application/x-ndjson"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"
NAMES = {CSV: "CSV", JSON_LINES: "JSON Lines", PARQUET: "Parquet", ARROW: "an Arrow stream"}
# What is written as well as the registered name.
ALIASES = {
    **{kind: kind for kind in NAMES},
    "application/csv": CSV,
    "application/jsonl": JSON_LINES,
    "application/x-jsonlines": JSON_LINES,
    "application/parquet": PARQUET,
    "application/x-parquet": PARQUET,
    "application/vnd.apache.arrow.file": ARROW,
}
# So many rows go through one tree while it lies in the cache, and so many are in memory at once.
PIECE_ROWS = 16_384
BLOCK_BYTES = 4 * 2**20
# An Arrow file, other than a stream, begins so.
ARROW_FILE = b"ARROW1"

Pieces = Iterator[pa.RecordBatch]


class FileReader:
    """Reads files of rows. Values keep the type that they are written with; they are judged later."""

    def __init__(self, contract: Contract, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._types = {
            column.name: pa.int64() if column.kind == "integer" else pa.string()
            for column in contract.features
        }
        self._readers: Mapping[str, Callable[[Path], Pieces]] = {
            CSV: self._csv,
            JSON_LINES: self._json_lines,
            PARQUET: self._parquet,
            ARROW: self._arrow,
        }

    def pieces(self, kind: str, file: Path) -> Pieces:
        """The rows of a file, at most `PIECE_ROWS` at a time.

        Args:
            kind: One of the content types of this module.
            file: The whole body.

        Raises: FileUnreadable, while it is read.
        """
        try:
            for batch in self._readers[kind](file):
                if batch.nbytes > self._limit_bytes:
                    raise FileUnreadable(NAMES[kind], f"a piece of it takes over {self._limit_bytes} bytes")
                for start in range(0, batch.num_rows, PIECE_ROWS):
                    yield batch.slice(start, PIECE_ROWS)
        except (pa.ArrowException, OSError, ValueError, EOFError) as error:
            reason = (str(error).splitlines() or ["it is damaged"])[0][:300]
            raise FileUnreadable(NAMES[kind], reason) from error

    def _csv(self, file: Path) -> Pieces:
        convert = pa_csv.ConvertOptions(column_types=self._types, null_values=[""], strings_can_be_null=True)
        read = pa_csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False)
        with pa_csv.open_csv(str(file), read_options=read, convert_options=convert) as reader:
            yield from reader

    def _json_lines(self, file: Path) -> Pieces:
        parse = pa_json.ParseOptions(
            explicit_schema=pa.schema(self._types), unexpected_field_behavior="infer"
        )
        read = pa_json.ReadOptions(block_size=BLOCK_BYTES, use_threads=False)
        yield from pa_json.open_json(str(file), read_options=read, parse_options=parse)

    def _parquet(self, file: Path) -> Pieces:
        with pq.ParquetFile(file) as opened:
            groups = range(opened.num_row_groups)
            unpacked = sum(opened.metadata.row_group(group).total_byte_size for group in groups)
            if unpacked > self._limit_bytes:
                raise FileUnreadable(NAMES[PARQUET], f"unpacked it has over {self._limit_bytes} bytes")
            yield from opened.iter_batches(PIECE_ROWS)

    def _arrow(self, file: Path) -> Pieces:
        with pa.OSFile(str(file)) as source:
            is_file = source.read(len(ARROW_FILE)) == ARROW_FILE
            source.seek(0)
            if is_file:
                opened = pa.ipc.open_file(source)
                yield from (opened.get_batch(number) for number in range(opened.num_record_batches))
            else:
                yield from pa.ipc.open_stream(source)


class FileWriter:
    """Writes answers piece by piece: what `add` and `end` return goes out at once."""

    def __init__(self, kind: str, schema: pa.Schema) -> None:
        self._kind = kind
        self._sink = _Sink()
        self._writer: Any = None
        if kind == CSV:
            self._writer = pa_csv.CSVWriter(pa.PythonFile(self._sink, "w"), _flat_schema(schema))
        elif kind == PARQUET:
            self._writer = pq.ParquetWriter(pa.PythonFile(self._sink, "w"), schema)
        elif kind == ARROW:
            self._writer = pa.ipc.new_stream(pa.PythonFile(self._sink, "w"), schema)

    def add(self, batch: pa.RecordBatch) -> bytes:
        """Takes a piece of the answer."""
        if self._kind == JSON_LINES:
            return msgspec.json.Encoder().encode_lines(batch.to_pylist())
        self._writer.write_batch(_flat(batch) if self._kind == CSV else batch)
        return self._sink.take()

    def end(self) -> bytes:
        """What is still to come after the last piece."""
        if self._writer is not None:
            self._writer.close()
        return self._sink.take()


class _Sink(io.RawIOBase):
    """Is emptied while it is written to, and counts on: Parquet's footer tells where everything stands."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        count = memoryview(data).nbytes
        self._bytes += data
        self._written += count
        return count

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken


def _flat_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([(item.name, _flat_type(item.type)) for item in schema])


def _flat(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Lists as one text, with semicolons between: CSV has no lists."""
    columns = [
        pc.binary_join(column, ";") if pa.types.is_list(column.type) else column for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_flat_schema(batch.schema))


def _flat_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_list(kind) else kind
