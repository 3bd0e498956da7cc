"""What the service has answered: the log of predictions in bronze, segment by segment, each written once."""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Collection
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.covertype import Column, covertype
from contracts.errors import LandingConflict
from contracts.landing_id import MOMENT_PATTERN, moment_text, name_in
from lake.objects import Objects

PREDICTIONS = "bronze/predictions"
# When the segment was begun, and what tells it from others of the same moment.
SEGMENT = re.compile(r"(\d{4})(\d{2})(\d{2})T\d{12}Z-[0-9a-f]+")
# Several segments in one object: named by its first, by when it was merged, and by its own SHA-256.
MERGED = re.compile(
    rf"(?P<first>{MOMENT_PATTERN}-[0-9a-f]+)\.merged-(?P<at>\d{{8}}T\d{{6}}Z)-(?P<digest>[0-9a-f]{{64}})\.parquet"
)
# Reads objects that may hold a segment twice, by itself and merged: each row once.
READ = """
select * exclude (filename)
from read_parquet($files, hive_partitioning = false, union_by_name = true, filename = true)
where (segment, filename) in (
    select segment, min(filename)
    from read_parquet($files, hive_partitioning = false, filename = true)
    group by segment
)
"""
KINDS = {"integer": pa.int32(), "string": pa.string()}


def _feature(column: Column) -> pa.Field:
    return pa.field(column.name, KINDS[column.kind], nullable=False)


# One row a prediction, named by segment and sequence: a request's id may be the caller's own, and repeated.
SCHEMA = pa.schema(
    [
        pa.field("segment", pa.string(), nullable=False),
        pa.field("sequence", pa.int32(), nullable=False),
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("predicted_at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("model_name", pa.string(), nullable=False),
        pa.field("model_version", pa.int32(), nullable=False),
        pa.field("model_snapshot_id", pa.int64()),
        *map(_feature, covertype().features),
        pa.field("predicted", pa.int32(), nullable=False),
        pa.field("probability", pa.float32(), nullable=False),
        pa.field("probabilities", pa.list_(pa.float32()), nullable=False),
        pa.field("flags", pa.list_(pa.string()), nullable=False),
        pa.field("latency_ms", pa.float32(), nullable=False),
        pa.field("key_id", pa.string()),
        pa.field("shadow_version", pa.int32()),
        pa.field("shadow_predicted", pa.int32()),
        pa.field("shadow_probability", pa.float32()),
    ]
)


def new_segment(begun_at: datetime) -> str:
    """Returns a name for a segment that no other has; names sort by the moment they were begun."""
    return f"{moment_text(begun_at)}-{secrets.token_hex(8)}"


def key_of(segment: str) -> str:
    """Returns where a segment lies in the store.

    Raises: ValueError if it is no segment's name.
    """
    named = SEGMENT.fullmatch(segment)
    if named is None:
        raise ValueError(f"{segment!r} is no segment's name: it must be like 20261127T183000123456Z-9f3a.")
    return f"{PREDICTIONS}/date={'-'.join(named.groups())}/{segment}.parquet"


def put(objects: Objects, segment: str, table: pa.Table) -> str:
    """Puts a segment into the store, once: a segment that is there already is no error.

    Args:
        objects: The store.
        segment: Its name, as `new_segment` gives it.
        table: Its rows, with the columns of SCHEMA, in any order.

    Returns: Its key.
    Raises: LandingConflict if other rows are there; StoreUnavailable; ValueError (which pyarrow's errors are)
        or KeyError if the rows do not fit, naming the column.
    """
    key, rows = key_of(segment), table.select(SCHEMA.names).cast(SCHEMA)
    if rows.num_rows and pc.unique(rows["segment"]).to_pylist() != [segment]:
        raise ValueError(f"Rows of the segment {segment!r} say that they belong to another.")
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, store_schema=False)
    try:
        objects.put_new(key, buffer.getvalue())
    except LandingConflict:
        # Another version of the writer puts the same rows into other bytes.
        if not read(objects, key).equals(rows):
            raise
    return key


def files_without(objects: Objects, segments: Collection[str]) -> list[str]:
    """Returns where all other segments lie, as DuckDB reads them, oldest first; to be read by READ.

    A merged object is left out if its first segment is known: only what gold has is merged, and gold takes an
    object in whole.
    """
    keys = filter(is_object, objects.keys(PREDICTIONS))
    return [objects.url(key) for key in keys if first_segment(key) not in segments]


def is_object(key: str) -> bool:
    """Returns whether a key is that of a segment or of merged ones: nothing else is read, whatever lies
    there."""
    stem, _, kind = key.rpartition("/")[2].rpartition(".")
    return kind == "parquet" and (SEGMENT.fullmatch(stem) is not None or merged_digest(key) is not None)


def first_segment(key: str) -> str:
    """Returns the segment that an object holds, or the first of those that were merged into it."""
    return name_in(key)


def merged_digest(key: str) -> str | None:
    """Returns the SHA-256 that a merged object must have; None for a segment by itself."""
    named = MERGED.fullmatch(key.rpartition("/")[2])
    return named["digest"] if named else None


def read(objects: Objects, key: str) -> pa.Table:
    """Returns the rows of a segment, with the columns of SCHEMA.

    Raises: ObjectMissing.
    """
    return pq.read_table(io.BytesIO(objects.read(key))).select(SCHEMA.names).cast(SCHEMA)
