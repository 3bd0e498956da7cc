"""How an answer is written in each format of a file."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tabular.formats import ARROW, CSV, JSON_LINES, PARQUET


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
        """Returns what is still to come after the last piece."""
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
