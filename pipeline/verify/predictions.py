"""Proof that gold's log of predictions is bronze's, segment by segment, merged or by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from contracts.errors import ObjectMissing, TablesDamaged
from lake.bronze.predictions import PREDICTIONS, SCHEMA, is_object, merged_digest
from lake.catalog.tables import has_table, reading
from lake.objects import Objects
from pipeline.responses import OnStep

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REPLAY = "Run `canopy lake replay`: it builds gold anew"
RESTORE = "Restore it from a backup"
FILES_AT_ONCE = 500

# What is in a segment, in few bytes: its rows, and the sum of the hashes of their values.
SUMMED = """
select {grouped}, count(*) as n, sum(md5_number_lower(struct_pack({packed})::varchar)::hugeint) as hashes
from {rows} group by all
"""
SEEN = "select distinct segment, split_part(parse_filename(filename), '.', 1) from {rows}"
# A merged object is not read again where gold has its first segment; a catalog of before may lack others.
SKIPPED = """
select distinct segment from seen_segments
where segment not in (select segment from known_segments) and first in (select segment from known_segments)
order by segment
"""
COMPARED = """
with found as ({found})
select found.filename, found.segment,
    case when known.n is distinct from found.n then found.n || ' rows, and ' || known.n || ' in gold'
        else 'other values than in gold' end as problem
from found inner join known_segments as known using (segment)
where known.n is distinct from found.n or known.hashes is distinct from found.hashes
order by found.segment
"""


def prediction_faults(
    connection: DuckDBPyConnection, objects: Objects, on_step: OnStep = lambda *_: None
) -> Iterator[str]:
    """Compares gold.predictions with the segments in bronze, both ways; segments that are newer are left out.

    Args:
        connection: A reader, pinned to the published snapshot.
        objects: The store.
        on_step: Is told how far it is.
    """
    keys = [key for key in objects.keys(PREDICTIONS) if is_object(key)]
    yield from _merged_faults(objects, keys)
    if not has_table(connection, "gold.predictions"):
        return
    try:
        with reading():
            connection.execute(
                f"create temp table known_segments as {_summed('segment', 'gold.predictions')}"
            )
    except TablesDamaged as damage:
        yield f"gold.predictions cannot be compared with bronze. {damage}"
        return
    connection.execute("create temp table seen_segments (segment varchar, first varchar)")
    for start in range(0, len(keys), FILES_AT_ONCE):
        yield from _compared(connection, objects, keys[start : start + FILES_AT_ONCE])
        on_step("Segments of predictions", min(start + FILES_AT_ONCE, len(keys)), len(keys))
    for (segment,) in connection.execute(SKIPPED).fetchall():
        yield f"gold.predictions lacks the segment {segment}, merged with some that it has. {REPLAY}"
    gone = connection.execute(
        "select segment from known_segments anti join seen_segments using (segment) order by 1"
    ).fetchall()
    if gone:
        more = f", and {len(gone) - 1} more" if len(gone) > 1 else ""
        yield f"gold.predictions has the segment {gone[0][0]}, and bronze has not{more}. {RESTORE}"


def _compared(connection: DuckDBPyConnection, objects: Objects, keys: Sequence[str]) -> Iterator[str]:
    rows = "read_parquet($urls, hive_partitioning = false, union_by_name = true, filename = true)"
    found = _summed("filename, segment", rows)
    values = {"urls": [objects.url(key) for key in keys]}
    try:
        with reading():
            differing = connection.execute(COMPARED.format(found=found), values).fetchall()
            connection.execute(f"insert into seen_segments {SEEN.format(rows=rows)}", values)
    except TablesDamaged as damage:
        if len(keys) == 1:
            yield f"The predictions {keys[0]} cannot be read: {damage.__cause__}. {RESTORE}"
            return
        for key in keys:  # one damaged object must not hide the others
            yield from _compared(connection, objects, [key])
        return
    for file, segment, problem in differing:
        yield f"The segment {segment} of predictions has {problem} ({file}). {REPLAY}"


def _merged_faults(objects: Objects, keys: Sequence[str]) -> Iterator[str]:
    for key in keys:
        if wanted := merged_digest(key):
            try:
                digest = hashlib.sha256(objects.read(key)).hexdigest()
            except (ObjectMissing, OSError) as error:
                yield f"The merged predictions {key} cannot be read: {error}. {RESTORE}"
                continue
            if digest != wanted:
                yield f"The merged predictions {key} are damaged: they have the sha256 {digest}. {RESTORE}"


def _summed(grouped: str, rows: str) -> str:
    packed = ", ".join(f'"{name}" := "{name}"' for name in SCHEMA.names)
    return SUMMED.format(grouped=grouped, packed=packed, rows=rows)
