"""Proof that bronze holds what the source said, silver what bronze holds, and readers see what they made."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

from contracts.errors import ObjectMissing, ObjectUnreadable, RawDamaged, RowsDamaged
from lake.bronze.events import EVENTS
from lake.bronze.landings import Raw, differing, read_landed
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from pipeline.responses import (
    OnStep,
    Response,
    list_responses,
    open_raw,
    read_response,
    stored_adapter,
    work_through,
)
from pipeline.verify.published import Published, verify_published
from pipeline.verify.silver import Landed, Silver, newest_snapshot, verify_silver
from source.difference import Difference

REPLAY = "Run `canopy lake replay`: it writes rows anew from their responses"


@dataclass(frozen=True)
class Verified:
    """What the lake holds.

    Attributes:
        landed: Responses whose bytes fit their key and whose rows fit their bytes.
        refused: Responses that are kept and were not landed.
        unfinished: Responses that a crash left; the next collect finishes them.
        not_refined: Landed responses that silver does not know yet; the next refine takes them up.
        published: What readers see, as far as it is proven.
        faults: One sentence for each thing that is not what it should be, with what to do.
    """

    landed: int
    refused: int
    unfinished: int
    not_refined: int
    faults: tuple[str, ...]
    published: Published = field(default=Published(), compare=False)


def verify(lake: LakeSettings, on_step: OnStep = lambda *_: None) -> Verified:
    """Reads every object of bronze, every row of silver and every file of the tables once.

    Others may write to the lake meanwhile.

    Args:
        lake: Where the lake is.
        on_step: Is told how far it is.
    """
    objects = open_objects(lake)
    snapshot_id = newest_snapshot(lake)  # first: what silver has at this snapshot, bronze has from now on
    events = objects.keys(EVENTS)
    responses = list_responses(objects)
    found = list(work_through(responses, partial(_examine, objects), "Responses", on_step))
    landed = [one for one in found if isinstance(one, Landed)]
    faults = [one for one in found if isinstance(one, str)]
    faults += [fault for key in events if (fault := _event_fault(objects, key))]
    published, silver = verify_published(lake, on_step), Silver(len(landed), ())
    if snapshot_id is not None:
        pairs = zip(responses, found, strict=True)
        skipped = {response.landing_id for response, one in pairs if isinstance(one, str)}
        silver = verify_silver(lake, snapshot_id, landed, skipped, on_step)
    return Verified(
        landed=len(landed),
        refused=sum(response.rows is None and response.refused is not None for response in responses),
        unfinished=sum(response.rows is None and response.refused is None for response in responses),
        not_refined=silver.not_refined,
        faults=(*faults, *silver.faults, *published.faults),
        published=published,
    )


def _examine(objects: Objects, response: Response) -> Landed | str | None:
    """Returns one response: its landing, or what is wrong, or None where it was rightly not landed."""
    if response.raw is None:
        return response.orphans
    try:
        body, raw = open_raw(objects, response.raw)
    except (RawDamaged, ObjectMissing, ObjectUnreadable) as damage:
        return str(damage)
    fault = _refusal_fault(objects, raw, body, response) if response.refused else None
    if fault or response.rows is None:
        return fault
    return _examine_rows(objects, raw, body, response, response.rows)


def _examine_rows(objects: Objects, raw: Raw, body: bytes, response: Response, key: str) -> Landed | str:
    try:
        rows = read_landed(objects, key)
    except (RowsDamaged, ObjectMissing, ObjectUnreadable) as damage:
        return str(damage)
    read = read_response(body, raw, [stored_adapter(rows)])
    if isinstance(read, Difference):
        return response.unfounded(read)
    apart = differing(rows, raw, read.batch.batch_number, read.batch.rows, read.adapter)
    if apart:
        return f"{key} is not what {raw.key} says, in {', '.join(apart)}. {REPLAY}"
    return Landed(raw, key, read.batch.batch_number, len(read.batch.rows), read.adapter)


def _refusal_fault(objects: Objects, raw: Raw, body: bytes, response: Response) -> str | None:
    key = response.refused or ""
    try:
        record = json.loads(objects.read(key))
        names = record["raw_key"]
    except (ValueError, KeyError, TypeError, RecursionError, ObjectMissing, ObjectUnreadable):
        return f"{key} is no record of a refusal. Delete it; the next collect judges {raw.key} again"
    if names != raw.key:
        return f"{key} refuses {names}, and lies beside {raw.key}. Delete it; the next collect judges again"
    # Both are there where a replay has landed what was refused once.
    if response.rows or isinstance(read_response(body, raw), Difference):
        return None
    return f"{key} refuses {raw.key}, which fits the contract. {REPLAY}"


def _event_fault(objects: Objects, key: str) -> str | None:
    try:
        digest = sha256(objects.read(key)).hexdigest()
    except ObjectMissing:
        return None  # set aside meanwhile
    except ObjectUnreadable as error:
        return str(error)
    if key.endswith(f"-{digest}.json"):
        return None
    return f"The event {key} is damaged: it has the sha256 {digest}. Restore it from a backup"
