"""One request to the source, and its answer safely in bronze; and what a crash has left of an earlier one."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Literal

from contracts.errors import RawDamaged
from lake.events import Event, record
from lake.landings import Landing, Raw, keep_raw, land_rows, read_raw, refuse, unfinished
from lake.objects import Objects
from source.client import Answered, Fragment, data_url, fetch
from source.clock import Clock, utc_now
from source.incoming import Incoming
from source.outcomes import ContractBroken, EndOfData, Landed, Outcome, failure
from source.response import Difference, parse
from source.settings import SourceSettings

logger = logging.getLogger(__name__)


def poll(
    settings: SourceSettings,
    group: int,
    objects: Objects,
    *,
    start_within_s: float | None = None,
    clock: Clock = utc_now,
) -> Outcome:
    """Asks once, whatever the policy, and keeps what comes."""
    incoming = Incoming(settings.incoming)
    incoming.check()
    answer = fetch(
        settings,
        group,
        incoming,
        lambda fragment: _refuse_fragment(objects, fragment),
        start_within_s=start_within_s,
        clock=clock,
    )
    outcome = _land_answer(objects, answer) if isinstance(answer, Answered) else answer
    if isinstance(outcome, EndOfData):
        logger.info("source_at_its_end source=%s group=%d detail=%r", settings.name, group, outcome.detail)
        record(objects, _event("end_of_data", settings, group, outcome.detail, clock()))
    elif error := failure(outcome):
        logger.error("source_failed source=%s group=%d reason=%s", settings.name, group, error)
        record(objects, _event("failure", settings, group, str(error), clock()))
    return outcome


def finish(objects: Objects, folder: Incoming) -> list[Landing]:
    """Lands, or refuses, every response that a crash left: on its way in, or in bronze without its rows.

    Returns: what was landed. A refusal is logged: its run is over, and no later one should fail for it.
    """
    for left in folder.left():
        with left.arrival as arrival:
            raw = keep_raw(objects, arrival.body, arrival.provenance)
            if left.missing:
                _refuse_cut(objects, raw, f"the collector ended {left.missing} bytes before its end")
            arrival.settle()
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
    batch = parse(body, raw.provenance.group, raw.provenance.adapter)
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


def _land_answer(objects: Objects, answer: Answered) -> Landed | ContractBroken:
    with answer.arrival as arrival:
        # Nothing comes before this: the last batch cannot be asked for again.
        raw = keep_raw(objects, arrival.body, arrival.provenance)
        arrival.settle()
        landed = land(objects, raw, arrival.body)
    return ContractBroken(landed.text, raw.key) if isinstance(landed, Difference) else Landed(landed)


def _refuse_fragment(objects: Objects, fragment: Fragment) -> None:
    with fragment.arrival as arrival:
        raw = keep_raw(objects, arrival.body, arrival.provenance)
        _refuse_cut(objects, raw, f"{fragment.reason} after {len(arrival.body)} bytes")
        arrival.settle()


def _refuse_cut(objects: Objects, raw: Raw, reason: str) -> None:
    refuse(objects, raw, f"it is cut short: {reason}")
    logger.warning("response_refused key=%s difference=it is cut short: %s", raw.key, reason)


def _event(
    kind: Literal["end_of_data", "failure"], settings: SourceSettings, group: int, detail: str, at: datetime
) -> Event:
    return Event(kind, settings.name, group, at, data_url(settings, group), detail)
