"""One request to the source, and its answer safely in bronze; and what a crash has left of an earlier one."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Literal

from contracts.errors import ObjectMissing, RawDamaged, StoreUnavailable
from contracts.landing_id import moment_text
from lake.bronze.events import Event, record
from lake.bronze.landings import Landing, Raw, keep_raw, land_rows, read_raw, refuse, unfinished
from lake.bronze.quarantine import keep_aside, kept_key, note
from lake.bronze.unreadable import set_strays_aside
from lake.objects import Objects
from source.client import Answer, Answered, Fragment, Oversized, data_url, fetch
from source.clock import Clock, utc_now
from source.difference import Difference
from source.incoming import Arrival, Incoming
from source.outcomes import ContractBroken, EndOfData, GivenUp, Landed, Outcome, failure
from source.response import parse
from source.settings import SourceSettings

logger = logging.getLogger(__name__)

# Of a response that is given up: enough to see what it is.
KEPT_OF_OVERSIZED = 2**20
# What a collector of an older version may have left; it is held in memory for a moment.
LARGEST_LEFT = 64 * 2**20


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
    # The response as it comes in, and what is made of it, may lie on one disk.
    incoming.check(2 * settings.response_bytes)
    answer = fetch(
        settings,
        group,
        incoming,
        lambda fragment: _refuse_fragment(objects, fragment),
        start_within_s=start_within_s,
        clock=clock,
    )
    outcome = _kept(objects, answer)
    if isinstance(outcome, EndOfData):
        logger.info("source_at_its_end source=%s group=%d detail=%r", settings.name, group, outcome.detail)
        record(objects, _event("end_of_data", settings, group, outcome.detail, clock()))
    elif error := failure(outcome):
        logger.error("source_failed source=%s group=%d reason=%s", settings.name, group, error)
        record(objects, _event("failure", settings, group, str(error), clock()))
    return outcome


def finish(objects: Objects, folder: Incoming, most: int = LARGEST_LEFT) -> list[Landing]:
    """Lands, or refuses, every response that a crash left: on its way in, or in bronze without its rows.

    Each is tried on its own. What cannot be read is set aside, with the reason: it keeps nothing else out.

    Args:
        objects: Bronze.
        folder: Where responses come in.
        most: A response that is larger is set aside; nothing so large is taken today.

    Returns: what was landed. A refusal is logged: its run is over, and no later one should fail for it.
    Raises: StoreUnavailable, which is no fault of what was left.
    """
    for left in folder.left(lambda path, reason: note_incoming(objects, path, reason)):
        with left.arrival as arrival:
            _finish_left(objects, arrival, left.missing, most)
    set_strays_aside(objects)
    found = (_finish_raw(objects, key) for key in unfinished(objects))
    return [landing for landing in found if landing]


def note_incoming(objects: Objects, path: Path, reason: str) -> None:
    """Says in the lake that a file of SOURCE_INCOMING was set aside; its bytes stay on this machine."""
    note(objects, f"incoming/{path.name}", f"{reason}. It lies in {path}")


def _finish_left(objects: Objects, arrival: Arrival, missing: int | None, most: int) -> None:
    try:
        if arrival.size > most:
            raise ValueError(f"it has {arrival.size} bytes, and {most} are taken (SOURCE_RESPONSE_BYTES)")
        raw = keep_raw(objects, arrival.body, arrival.provenance)
        if missing:
            _refuse_cut(objects, raw, f"the collector ended {missing} bytes before its end")
    except StoreUnavailable:
        raise
    except Exception as error:  # whatever it is: the next response is not to suffer from it
        reason = f"it cannot be kept: {type(error).__name__}: {error}"
        note_incoming(objects, arrival.set_aside(reason), reason)
    else:
        arrival.discard()


def _finish_raw(objects: Objects, key: str) -> Landing | None:
    try:
        body, raw = read_raw(objects, key)
        landed = land(objects, raw, body)
    except (ObjectMissing, StoreUnavailable) as error:
        if isinstance(error, StoreUnavailable):
            raise
        return None  # another process has set it aside
    except RawDamaged as damage:
        note(objects, key, str(damage))  # what the source said stays in its place, also where it is damaged
        return None
    except Exception as error:  # one object must not keep the next batches out
        note(objects, key, f"it cannot be landed: {type(error).__name__}: {error}")
        return None
    return landed if isinstance(landed, Landing) else None


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


def _kept(objects: Objects, answer: Answer) -> Outcome:
    """Keeps what came, as far as it is to be kept."""
    if isinstance(answer, Answered):
        return _land_answer(objects, answer)
    return _keep_beginning(objects, answer) if isinstance(answer, Oversized) else answer


def _keep_beginning(objects: Objects, answer: Oversized) -> GivenUp:
    with answer.arrival as arrival:
        provenance, head = arrival.provenance, arrival.head(KEPT_OF_OVERSIZED)
        moment = moment_text(provenance.fetched_at)
        key = f"source/{provenance.source}/group={provenance.group:02d}/{moment}"
        keep_aside(objects, key, head, f"{answer.reason}; these are its first {len(head)} bytes")
        arrival.discard()
    return GivenUp(answer.reason, kept_key(key, head))


def _land_answer(objects: Objects, answer: Answered) -> Landed | ContractBroken:
    with answer.arrival as arrival:
        body = arrival.body
        # Nothing comes before this: the last batch cannot be asked for again.
        raw = keep_raw(objects, body, arrival.provenance)
        arrival.discard()
        landed = land(objects, raw, body)
    return ContractBroken(landed.text, raw.key) if isinstance(landed, Difference) else Landed(landed)


def _refuse_fragment(objects: Objects, fragment: Fragment) -> None:
    with fragment.arrival as arrival:
        raw = keep_raw(objects, arrival.body, arrival.provenance)
        _refuse_cut(objects, raw, f"{fragment.reason} after {arrival.size} bytes")
        arrival.discard()


def _refuse_cut(objects: Objects, raw: Raw, reason: str) -> None:
    refuse(objects, raw, f"it is cut short: {reason}")
    logger.warning("response_refused key=%s difference=it is cut short: %s", raw.key, reason)


def _event(
    kind: Literal["end_of_data", "failure"], settings: SourceSettings, group: int, detail: str, at: datetime
) -> Event:
    return Event(kind, settings.name, group, at, data_url(settings, group), detail)
