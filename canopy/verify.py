"""Proof that bronze holds what the source said, and silver what bronze holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from canopy.verify_silver import verify_silver
from contracts.errors import LakeError, RawDamaged
from lake.landings import RAW, REFUSED, ROWS, Raw, differing, read_landed, read_raw
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from source.response import Difference, parse

REPLAY = "Run `canopy lake replay`: it writes rows anew from their responses"


@dataclass(frozen=True)
class Verified:
    """What the lake holds.

    Attributes:
        landed: Responses whose bytes fit their key and whose rows fit their bytes.
        refused: Responses that are kept and were not landed.
        unfinished: Responses that a crash left; the next collect finishes them.
        not_refined: Landed responses that silver does not know yet; the next refine takes them up.
        faults: One sentence for each thing that is not what it should be, with what to do.
    """

    landed: int
    refused: int
    unfinished: int
    not_refined: int
    faults: tuple[str, ...]


def verify(lake: LakeSettings, on_object: Callable[[int, int], None] = lambda *_: None) -> Verified:
    """Reads every object of bronze, and every row of silver, once.

    Args:
        lake: Where the lake is.
        on_object: Is told how many raw objects of how many are done.
    """
    objects = open_objects(lake)
    raw, rows, refused = (_by_stem(objects, folder) for folder in (RAW, ROWS, REFUSED))
    found = {}
    for done, (stem, key) in enumerate(raw.items(), start=1):
        found[stem] = _fault(objects, key, rows.get(stem), refused.get(stem))
        on_object(done, len(raw))
    orphans = [
        f"{folder[stem]} has no raw response. Restore {stem.strip('/')} from a backup, or delete it"
        for folder in (rows, refused)
        for stem in sorted(folder.keys() - raw.keys())
    ]
    silver = verify_silver(lake, [rows[stem] for stem in sorted(rows)])
    return Verified(
        landed=sum(fault is None and stem in rows for stem, fault in found.items()),
        refused=len(refused.keys() - rows.keys()),
        unfinished=len(raw.keys() - rows.keys() - refused.keys()),
        not_refined=silver.not_refined,
        faults=(*(fault for fault in found.values() if fault), *orphans, *silver.faults),
    )


def _fault(objects: Objects, raw_key: str, rows_key: str | None, refusal_key: str | None) -> str | None:
    """What is wrong with one response and what became of it, or None."""
    try:
        body, raw = read_raw(objects, raw_key)
    except RawDamaged as error:
        return str(error)
    if f"/{raw.provenance.source}/group={raw.provenance.group:02d}/" not in raw_key:
        return f"{raw_key} lies in another place than its provenance says. Restore it from a backup"
    if rows_key is not None:
        return _rows_fault(objects, raw, body, rows_key)
    return _refusal_fault(objects, raw, body, refusal_key) if refusal_key else None


def _rows_fault(objects: Objects, raw: Raw, body: bytes, key: str) -> str | None:
    try:
        landed = read_landed(objects, key)
    except LakeError as error:
        return str(error)
    adapters = landed["adapter"].unique().to_pylist() or [raw.provenance.adapter]
    batch = parse(body, raw.provenance.group, adapters[0])
    if isinstance(batch, Difference):
        return f"{key} holds rows, but {raw.key} does not fit the contract: {batch.text}. Delete the rows"
    apart = differing(landed, raw, batch.batch_number, batch.rows, adapters[0])
    if apart:
        return f"{key} is not what {raw.key} says, in {', '.join(apart)}. {REPLAY}"
    return None


def _refusal_fault(objects: Objects, raw: Raw, body: bytes, key: str) -> str | None:
    try:
        names = json.loads(objects.read(key))["raw_key"]
    except (ValueError, KeyError, TypeError):
        return f"{key} is no record of a refusal. Delete it; the next collect judges {raw.key} again"
    if names != raw.key:
        return f"{key} refuses {names}, and lies beside {raw.key}. Delete it; the next collect judges again"
    if isinstance(parse(body, raw.provenance.group, raw.provenance.adapter), Difference):
        return None
    return f"{key} refuses {raw.key}, which fits the contract. {REPLAY}"


def _by_stem(objects: Objects, folder: str) -> dict[str, str]:
    """Keys of a folder by what the three objects of one response have in common."""
    return {key.removeprefix(folder).partition(".")[0]: key for key in objects.keys(folder)}
