"""Bronze's rows, and everything above them, from the raw responses alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from contracts.errors import RawDamaged, RowsDamaged
from lake.bronze.landings import Raw, differing, land_rows, read_landed, refuse, replace_rows
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
from source.difference import Difference
from source.settings import sources

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replayed:
    """What a replay found and wrote.

    Attributes:
        whole: Row files that were what their responses say.
        written: Keys of row files that were missing or were not.
        refused: Responses that fit the contract in no form that is declared.
        damaged: What only a person can put right, one sentence each; it stays as it is.
    """

    whole: int
    written: tuple[str, ...]
    refused: int
    damaged: tuple[str, ...]

    @property
    def has_rows(self) -> bool:
        """Returns whether there is anything to build from."""
        return self.whole > 0 or len(self.written) > 0


@dataclass(frozen=True)
class Written:
    """Rows that were written anew."""

    key: str


@dataclass(frozen=True)
class Damaged:
    """Something that a replay cannot put right."""

    text: str


def replay_bronze(
    lake: LakeSettings, adapters: Mapping[str, str] | None = None, *, on_step: OnStep = lambda *_: None
) -> Replayed:
    """Lands every raw response anew. Rows that are whole are not touched, others are written as they must be.

    A response is read as it was fetched; only where that fails, as its rows say that they were read, else in
    the form that the settings declare now. Doing it again, also after a crash, changes nothing, and
    collecting may go on meanwhile.

    Args:
        lake: Where the lake is.
        adapters: The form that each source is declared to have, by its name; read from the environment if
            not given.
        on_step: Is told how far it is.
    """
    declared = {one.name: one.adapter for one in sources()} if adapters is None else adapters
    objects = open_objects(lake)
    found = list(
        work_through(list_responses(objects), partial(_land, objects, declared), "Responses", on_step)
    )
    return Replayed(
        whole=sum(one is None for one in found),
        written=tuple(one.key for one in found if isinstance(one, Written)),
        refused=sum(isinstance(one, Difference) for one in found),
        damaged=tuple(one.text for one in found if isinstance(one, Damaged)),
    )


def _land(
    objects: Objects, declared: Mapping[str, str], response: Response
) -> Written | Difference | Damaged | None:
    """Makes a response's rows what they must be. Returns: None where they are that already."""
    if response.raw is None:
        return Damaged(response.orphans)
    try:
        body, raw = open_raw(objects, response.raw)
    except RawDamaged as damage:
        return Damaged(str(damage))
    rows = _stored(objects, response)
    read = read_response(body, raw, [stored_adapter(rows), declared.get(raw.provenance.source)])
    if isinstance(read, Difference):
        return _leave_out(objects, response, raw, read)
    batch = read.batch
    if rows is not None and not differing(rows, raw, batch.batch_number, batch.rows, read.adapter):
        return None
    # What was not there may have been landed by a collector just now: that stays.
    write = replace_rows if response.rows else land_rows
    key = write(objects, raw, batch.batch_number, batch.rows, read.adapter).key
    logger.info("rows_replayed key=%s adapter=%s rows=%d", key, read.adapter, len(batch.rows))
    return Written(key)


def _stored(objects: Objects, response: Response) -> pa.Table | None:
    """Returns the rows that are there; None where there are none that can be read."""
    try:
        return read_landed(objects, response.rows) if response.rows else None
    except RowsDamaged:
        return None


def _leave_out(
    objects: Objects, response: Response, raw: Raw, difference: Difference
) -> Difference | Damaged:
    if response.rows:
        return Damaged(response.unfounded(difference))
    refuse(objects, raw, difference.text)
    return difference
