"""One poll of the source, into bronze."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from contracts.errors import RawDamaged, ResponseBroken
from lake.landings import (
    Landing,
    Provenance,
    Raw,
    keep_raw,
    land_rows,
    read_raw,
    refuse,
    unfinished,
)
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from source.client import CLIENT_VERSION, Answered, EndOfData, Fragment, fetch
from source.response import Difference, parse
from source.settings import SourceSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Collected:
    """What a poll came to.

    Attributes:
        outcome: `landed`, or `end_of_data` once the service has nothing more.
        landings: What is new in bronze, with what an earlier crash had left to finish.
    """

    outcome: Literal["landed", "end_of_data"]
    landings: list[Landing]


def collect_once(settings: SourceSettings | None = None, lake: LakeSettings | None = None) -> Collected:
    """Finishes what a crash left, then asks the source once.

    Args:
        settings: Read from the environment where None.
        lake: Read from the environment where None.

    Raises:
        SourceUnavailable: No whole response came; what came of one is in bronze, refused.
        SourceRefused: The source does not accept the request.
        ResponseBroken: The response does not fit the contract; it is in bronze, refused.
    """
    settings = settings or SourceSettings()
    objects = open_objects(lake or LakeSettings())
    landings = finish(objects)
    answer = fetch(settings, on_fragment=lambda fragment: _refuse_fragment(objects, settings, fragment))
    if isinstance(answer, EndOfData):
        logger.info("source_at_its_end group=%d detail=%r", settings.group, answer.detail)
        return Collected("end_of_data", landings)
    # Nothing comes before this: the last batch cannot be asked for again.
    raw = keep_raw(objects, answer.body, _provenance(settings, answer))
    landed = land(objects, raw, answer.body)
    if isinstance(landed, Difference):
        raise ResponseBroken(landed.text, raw.key)
    return Collected("landed", [*landings, landed])


def finish(objects: Objects) -> list[Landing]:
    """Lands, or refuses, every response that is in bronze without its rows.

    Returns: what was landed. A refusal is logged: its poll is over, and no later one should fail for it.
    """
    landings = []
    for key in unfinished(objects):
        try:
            body, raw = read_raw(objects, key)
        except RawDamaged as damage:
            # One damaged object must not keep the next batches out.
            logger.error("raw_damaged key=%s reason=%s", key, damage)
            continue
        landed = land(objects, raw, body)
        if isinstance(landed, Landing):
            landings.append(landed)
    return landings


def land(objects: Objects, raw: Raw, body: bytes) -> Landing | Difference:
    """Lands the rows of a response that is kept already, or records why they do not fit."""
    batch = parse(body, raw.provenance.group)
    if isinstance(batch, Difference):
        refuse(objects, raw, batch.text)
        logger.warning("response_refused key=%s difference=%s", raw.key, batch.text)
        return batch
    landing = land_rows(objects, raw, batch.batch_number, batch.rows)
    logger.info(
        "batch_landed key=%s group=%d batch=%d rows=%d",
        landing.key, landing.group, landing.batch, landing.rows,
    )  # fmt: skip
    return landing


def _refuse_fragment(objects: Objects, settings: SourceSettings, fragment: Fragment) -> None:
    raw = keep_raw(objects, fragment.body, _provenance(settings, fragment))
    difference = f"it is cut short: {fragment.reason} after {len(fragment.body)} bytes"
    refuse(objects, raw, difference)
    logger.warning("response_refused key=%s difference=%s", raw.key, difference)


def _provenance(settings: SourceSettings, answer: Answered | Fragment) -> Provenance:
    return Provenance(
        source=settings.name,
        group=settings.group,
        fetched_at=answer.fetched_at,
        request_id=answer.request_id,
        url=answer.url,
        client_version=CLIENT_VERSION,
    )
