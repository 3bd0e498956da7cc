"""What the log of predictions keeps of a reply: a line of JSON a row, until many become a batch of columns.

A line is made in two microseconds while the reply is. Its columns are made by Arrow's reader in C++, which
leaves Python's lock to those who answer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.json as pa_json

from contracts.covertype import covertype
from contracts.prediction import Flag
from lake.bronze.predictions import SCHEMA
from serving.model.loaded import Model, Row

# Classes, and the shares of all classes, of one request.
Answer = tuple[list[int], list[list[float]]]

FEATURES = tuple(column.name for column in covertype().features)
# Which segment a row is in, and where, is known when the segment is shipped.
PLACE = ("segment", "sequence")
SHADOW = ("shadow_version", "shadow_predicted", "shadow_probability")
LOGGED = pa.schema([item for item in SCHEMA if item.name not in PLACE])
# What a shadow says comes later. A line names its fields by number: names would be most of it.
WRITTEN = {name: f"f{number}" for number, name in enumerate(LOGGED.names) if name not in SHADOW}

_Line: Any = msgspec.defstruct("_Line", WRITTEN, rename=WRITTEN)
_encode = msgspec.json.Encoder().encode


def _as_read(field: pa.Field) -> pa.Field:
    """Returns how Arrow reads a field of a line; a moment is written as the microseconds since 1970."""
    kind = pa.int64() if pa.types.is_timestamp(field.type) else field.type
    return pa.field(WRITTEN[field.name], kind)


READ = pa.schema([_as_read(LOGGED.field(name)) for name in WRITTEN])


def lines_of(
    request_id: str,
    key_id: str,
    model: Model,
    rows: Sequence[Row],
    answer: Answer,
    flags: Sequence[Sequence[Flag]],
    latency_ms: float,
) -> list[bytes]:
    """Returns the lines of one reply.

    Args:
        request_id: The caller's, or made.
        key_id: Who asked.
        model: Who answered.
        rows: What was asked, in the contract's order.
        answer: Classes, and the shares of all classes.
        flags: What the model has hardly seen, by row.
        latency_ms: From the request's head to its reply.
    """
    at_us, version = time.time_ns() // 1_000, model.version.logged
    return [
        _encode(
            _Line(
                request_id,
                position,
                at_us,
                *version,
                *row,
                label,
                max(shares),
                shares,
                [f"{flag.field}:{flag.code}" for flag in flagged],
                latency_ms,
                key_id,
            )
        )
        for position, (row, label, shares, flagged) in enumerate(zip(rows, *answer, flags, strict=True))
    ]


def as_batch(lines: Sequence[bytes]) -> pa.RecordBatch:
    """Returns the rows of some lines, in their order, without a shadow."""
    content = b"\n".join(lines)
    table = pa_json.read_json(
        pa.BufferReader(content),
        pa_json.ReadOptions(use_threads=False, block_size=len(content) + 1),
        pa_json.ParseOptions(explicit_schema=READ, unexpected_field_behavior="error"),
    )
    (read,) = table.combine_chunks().to_batches()
    columns = [
        read[WRITTEN[item.name]].cast(item.type) if item.name in WRITTEN else pa.nulls(len(read), item.type)
        for item in LOGGED
    ]
    return pa.RecordBatch.from_arrays(columns, schema=LOGGED)
