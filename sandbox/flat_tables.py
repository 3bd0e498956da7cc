"""Tables that come out of a confined process: flat columns, and no larger for their reader than they may be.

Whoever writes one may have been taken over by what it read. Its reader makes a DataFrame of it, so what
that takes is counted: where a value has others within it, pandas makes an object of Python's of each.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import pyarrow as pa
from pyarrow import types

VALUE_BYTES, OBJECT_BYTES, COLUMN_BYTES = 8, 64, 256
# What pandas holds as numbers, or as Arrow's own text.
_HELD: tuple[Callable[[pa.DataType], bool], ...] = (
    *(types.is_null, types.is_boolean, types.is_integer, types.is_floating),
    *(types.is_string, types.is_large_string, types.is_timestamp, types.is_duration),
)
# What becomes one object of Python's for each value.
_OBJECTS: tuple[Callable[[pa.DataType], bool], ...] = (
    *(types.is_decimal, types.is_date, types.is_time),
    *(types.is_binary, types.is_large_binary, types.is_fixed_size_binary),
)
# Places in Arrow's Message and RecordBatch (format/Message.fbs).
_HEADER, _COMPRESSION = 2, 3


def is_flat(kind: pa.DataType) -> bool:
    """Returns whether a value of this type has nothing within it, and refers to nothing beside it."""
    return any(holds(kind) for holds in (*_HELD, *_OBJECTS))


def held_bytes(batch: pa.RecordBatch) -> int:
    """Returns what flat rows take at least in the memory of whoever makes a DataFrame of them."""
    return COLUMN_BYTES + sum(COLUMN_BYTES + _column_bytes(column) for column in batch.columns)


def read_flat(content: bytes, limit_bytes: int) -> pa.Table:
    """Reads an Arrow stream that a confined process wrote; every length in it is checked.

    Args:
        content: The stream.
        limit_bytes: What `held_bytes` of its rows may come to.

    Raises: ArrowInvalid if it is no such stream, compressed, not flat or larger.
    """
    messages = pa.ipc.MessageReader.open_stream(pa.BufferReader(content))
    schema = _schema_of(messages)
    batches, size = list[pa.RecordBatch](), 0
    if COLUMN_BYTES * len(schema) > limit_bytes:
        raise pa.ArrowInvalid(f"it has {len(schema)} columns")
    while (message := _next(messages)) is not None:
        if message.type != "record batch" or _is_compressed(message):
            raise pa.ArrowInvalid(f"a {message.type} of it is not plain rows")
        batch = pa.ipc.read_record_batch(message, schema)
        batch.validate(full=True)
        size += held_bytes(batch)
        if size > limit_bytes:
            raise pa.ArrowInvalid(f"it takes more than {limit_bytes} bytes")
        batches.append(batch)
    return pa.Table.from_batches(batches, schema)


def _column_bytes(column: pa.Array) -> int:
    is_object = any(holds(column.type) for holds in _OBJECTS)
    per_value = OBJECT_BYTES * len(column) if is_object else 0
    return per_value + max(int(column.nbytes), VALUE_BYTES * len(column))


def _schema_of(messages: pa.ipc.MessageReader) -> pa.Schema:
    """Returns the columns, without what may be said about them for pandas. Raises: ArrowInvalid."""
    message = _next(messages)
    if message is None or message.type != "schema":
        raise pa.ArrowInvalid("it does not begin with its columns")
    schema: pa.Schema = pa.ipc.read_schema(message).remove_metadata()
    nested = next((field for field in schema if not is_flat(field.type)), None)
    if nested is not None:
        raise pa.ArrowInvalid(f"a column of it is not flat: {str(nested.type)[:100]}")
    return schema


def _next(messages: pa.ipc.MessageReader) -> pa.ipc.Message | None:
    try:
        return messages.read_next_message()
    except StopIteration:
        return None


def _is_compressed(message: pa.ipc.Message) -> bool:
    """Returns whether reading it would unpack something: Arrow believes the lengths that are written in
    front.

    Arrow's own readers unpack without a bound. They have checked that every place below is in the metadata.
    """
    content = memoryview(message.metadata)
    (root,) = struct.unpack_from("<I", content, 0)
    place = _place(content, root, _HEADER)
    if place is None:
        raise pa.ArrowInvalid("a message of it says nothing")
    (header,) = struct.unpack_from("<I", content, place)
    return _place(content, place + header, _COMPRESSION) is not None


def _place(content: memoryview, table: int, number: int) -> int | None:
    """Returns where a table of flatbuffers has its field of this number, if it has it."""
    (back,) = struct.unpack_from("<i", content, table)
    (length,) = struct.unpack_from("<H", content, table - back)
    entry = 4 + 2 * number
    if entry + 2 > length:
        return None
    (offset,) = struct.unpack_from("<H", content, table - back + entry)
    return table + offset if offset else None
