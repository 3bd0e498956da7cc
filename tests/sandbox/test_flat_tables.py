"""Tables that come out of a confined process: read as they were written, or refused."""

import random

import pyarrow as pa
import pytest

from sandbox.flat_tables import COLUMN_BYTES, held_bytes, read_flat

LIMIT = 100_000
ROWS = pa.table({"number": [1, 2, 3], "word": ["x", "y", None]})


def streamed(table: pa.Table, *, compression: str | None = None, chunk: int | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=chunk)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("table", [ROWS, ROWS.slice(1), ROWS.slice(0, 0), ROWS.select([])])
def test_flat_rows_are_read_as_they_were_written(table: pa.Table) -> None:
    assert read_flat(streamed(table, chunk=2), LIMIT).equals(table)


def test_what_is_said_for_pandas_is_not_believed() -> None:
    said = ROWS.replace_schema_metadata({"pandas": '{"index_columns": ["number"]}'})
    assert list(read_flat(streamed(said), LIMIT).to_pandas().columns) == ["number", "word"]


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_what_would_unpack_itself_is_not_unpacked(compression: str) -> None:
    bomb = streamed(pa.table({"x": ["x" * 50_000_000]}), compression=compression)
    before = pa.total_allocated_bytes()
    pool = pa.default_memory_pool()
    highest = pool.max_memory()
    with pytest.raises(pa.ArrowInvalid, match="not plain rows"):
        read_flat(bomb, LIMIT)
    assert pa.total_allocated_bytes() == before
    assert pool.max_memory() == highest


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"x": [[1]]}),
        pa.table({"x": [{"a": 1}]}),
        pa.table({"x": pa.array(["a"]).dictionary_encode()}),
        pa.table({"x": pa.array(["a"], pa.string_view())}),
        pa.table({"x": pa.array([b"0" * 16], pa.uuid())}),
        pa.table({"x": pa.nulls(1_000_000_000)}),
        pa.table({"x": ["x" * LIMIT]}),
        pa.table({f"x{number}": pa.nulls(0) for number in range(LIMIT // COLUMN_BYTES + 1)}),
    ],
)
def test_columns_with_something_within_and_too_many_values_are_refused(table: pa.Table) -> None:
    with pytest.raises(pa.ArrowInvalid):
        read_flat(streamed(table), LIMIT)


def test_one_buffer_that_is_many_columns_is_counted_as_often() -> None:
    one = pa.array(["x" * 1_000])
    batch = pa.record_batch({f"x{number}": one for number in range(50)})
    assert held_bytes(batch) > 50 * 1_000


@pytest.mark.parametrize("content", [b"", b"xx", b"\xff" * 100, streamed(ROWS)[:100], streamed(ROWS)[:-30]])
def test_what_is_no_stream_is_refused(content: bytes) -> None:
    with pytest.raises((pa.ArrowException, OSError)):
        read_flat(content, LIMIT)


def test_a_changed_stream_is_read_or_refused() -> None:
    whole, drawn = streamed(ROWS, chunk=2), random.Random(3)
    refused = 0
    for _ in range(5_000):
        content = bytearray(whole)
        for _ in range(drawn.randrange(1, 4)):
            content[drawn.randrange(len(content))] = drawn.randrange(256)
        try:
            read_flat(bytes(content), LIMIT)
        except (pa.ArrowException, OSError, ValueError):
            refused += 1
    assert refused
