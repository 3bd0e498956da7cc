"""What the log of predictions keeps of a reply."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from contracts.covertype import covertype
from contracts.prediction import Flag
from lake.predictions import SCHEMA
from serving.microbatches import Answer
from serving.model import Model, Row

FEATURES = tuple(column.name for column in covertype().features)
# Which segment a row is in, and where, is known when the segment is shipped.
PLACE = ("segment", "sequence")
SHADOW = ("shadow_version", "shadow_predicted", "shadow_probability")
LOGGED = pa.schema([item for item in SCHEMA if item.name not in PLACE])


@dataclass(frozen=True)
class Record:
    """One reply.

    Attributes:
        request_id: The caller's, or made.
        key_id: Who asked.
        model: Who answered.
        rows: What was asked, in the contract's order.
        answer: Classes, and the shares of all classes.
        flags: What the model has hardly seen, by row.
        latency_ms: From the request's head to its reply.
        at: When, in UTC.
    """

    request_id: str
    key_id: str
    model: Model
    rows: Sequence[Row]
    answer: Answer
    flags: Sequence[Sequence[Flag]]
    latency_ms: float
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def as_batch(records: Sequence[Record]) -> pa.RecordBatch:
    """The rows of some replies, in their order, without a shadow."""
    counts = [len(record.rows) for record in records]
    versions = [record.model.version for record in records]
    features = zip(*(row for record in records for row in record.rows), strict=True)
    columns: dict[str, Any] = {
        "request_id": _each(counts, (record.request_id for record in records)),
        "position": [position for count in counts for position in range(count)],
        "predicted_at": _each(counts, (record.at for record in records)),
        "model_name": _each(counts, (version.name for version in versions)),
        "model_version": _each(counts, (int(version.number) for version in versions)),
        "model_snapshot_id": _each(counts, map(snapshot_of, records)),
        **dict(zip(FEATURES, features, strict=True)),
        "predicted": [label for record in records for label in record.answer[0]],
        "probability": [max(shares) for record in records for shares in record.answer[1]],
        "probabilities": [shares for record in records for shares in record.answer[1]],
        "flags": [
            [f"{flag.field}:{flag.code}" for flag in flags] for record in records for flags in record.flags
        ],
        "latency_ms": _each(counts, (record.latency_ms for record in records)),
        "key_id": _each(counts, (record.key_id for record in records)),
        **{name: [None] * sum(counts) for name in SHADOW},
    }
    arrays = [pa.array(columns[item.name], item.type) for item in LOGGED]
    return pa.RecordBatch.from_arrays(arrays, schema=LOGGED)


def snapshot_of(record: Record) -> int | None:
    """The snapshot that the model learned from, as far as its tags say a number."""
    text = record.model.version.tags.get("snapshot_id", "")
    return int(text) if text.isdecimal() else None


def _each(counts: Sequence[int], values: Iterable[Any]) -> list[Any]:
    return [value for count, value in zip(counts, values, strict=True) for _ in range(count)]
