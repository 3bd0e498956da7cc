"""Proof that bronze holds what the source said: raw responses against their own hashes and rows."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pyarrow.parquet as pq

from contracts.covertype import covertype
from contracts.errors import RawDamaged
from lake.landings import RAW, REFUSED, ROWS, read_raw
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from source.response import Difference, parse


@dataclass(frozen=True)
class Verified:
    """What bronze holds.

    Attributes:
        landed: Responses whose bytes fit their key and whose rows fit their bytes.
        refused: Responses that are kept and were not landed.
        unfinished: Responses that a crash left; the next collect finishes them.
        faults: One sentence for each object that is not what it should be.
    """

    landed: int
    refused: int
    unfinished: int
    faults: tuple[str, ...]


def verify_bronze(lake: LakeSettings) -> Verified:
    """Reads every object of bronze once."""
    objects = open_objects(lake)
    raw, rows, refused = (_by_stem(objects, folder) for folder in (RAW, ROWS, REFUSED))
    found = {stem: _fault(objects, key, rows.get(stem)) for stem, key in raw.items()}
    orphans = [f"{rows[stem]} has no raw response" for stem in sorted(rows.keys() - raw.keys())]
    return Verified(
        landed=sum(fault is None and stem in rows for stem, fault in found.items()),
        refused=len(refused),
        unfinished=len(raw.keys() - rows.keys() - refused.keys()),
        faults=(*(fault for fault in found.values() if fault), *orphans),
    )


def _fault(objects: Objects, raw_key: str, rows_key: str | None) -> str | None:
    """What is wrong with one response, or None."""
    try:
        body, raw = read_raw(objects, raw_key)
    except RawDamaged as error:
        return str(error)
    if rows_key is None:
        return None
    batch = parse(body, raw.provenance.group)
    if isinstance(batch, Difference):
        return f"{rows_key} holds rows, but {raw_key} does not fit the contract: {batch.text}"
    table = pq.read_table(io.BytesIO(objects.read(rows_key)))
    landed = zip(*(table[column.source_name].to_pylist() for column in covertype().columns), strict=True)
    if [tuple(row) for row in batch.rows] != list(landed):
        return f"{rows_key} does not hold the rows of {raw_key}"
    return None


def _by_stem(objects: Objects, folder: str) -> dict[str, str]:
    """Keys of a folder by what the three objects of one response have in common."""
    return {key.removeprefix(folder).partition(".")[0]: key for key in objects.keys(folder)}
