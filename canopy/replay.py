"""Bronze's rows, and everything above them, from the raw responses alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from canopy.refine import Refined, refine
from contracts.errors import RawDamaged, RowsDamaged
from lake.landings import RAW, Raw, differing, read_landed, read_raw, refuse, replace_rows, rows_key
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from source.response import Batch, Difference, parse
from source.settings import sources

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replayed:
    """What a replay found and wrote.

    Attributes:
        whole: Row files that were what their responses say.
        written: Keys of row files that were missing or were not.
        refused: Responses that fit the contract in no form that is declared.
        damaged: What is wrong with raw objects that cannot be read; their rows stay as they are.
        refined: What was built and published from it.
    """

    whole: int
    written: tuple[str, ...]
    refused: int
    damaged: tuple[str, ...]
    refined: Refined


def replay(
    lake: LakeSettings | None = None,
    adapters: dict[str, str] | None = None,
    *,
    state: Path | None = None,
    on_object: Callable[[int, int], None] = lambda *_: None,
) -> Replayed:
    """Lands every raw response anew, builds silver and gold from nothing, audits and publishes.

    A response is read as its rows say that they were read, else as it was fetched, else, if it was refused,
    in the form that the settings declare now. Doing it again, also after a crash, changes nothing.

    Args:
        lake: Where the lake is; read from the environment if not given.
        adapters: The form that each source is declared to have, by its name; read from the environment if
            not given.
        state: Where dbt keeps its target and its logs.
        on_object: Is told how many raw objects of how many are done.

    Raises: what `canopy.refine.refine` raises.
    """
    lake = lake or LakeSettings()
    declared: dict[str, str] = adapters or {one.name: one.adapter for one in sources()}
    objects = open_objects(lake)
    whole, refused, written, damaged = 0, 0, [], []
    keys = objects.keys(RAW)
    for done, key in enumerate(keys, start=1):
        try:
            body, raw = read_raw(objects, key)
        except RawDamaged as damage:
            damaged.append(str(damage))
            continue
        landed = _land(objects, raw, body, declared)
        whole += landed is None
        refused += isinstance(landed, Difference)
        if isinstance(landed, str):
            written.append(landed)
        on_object(done, len(keys))
    return Replayed(
        whole, tuple(written), refused, tuple(damaged), refine(lake, state=state, is_full_refresh=True)
    )


def _land(objects: Objects, raw: Raw, body: bytes, declared: dict[str, str]) -> str | Difference | None:
    """Makes a response's rows what they must be. Returns: their key if that took writing them, else None."""
    key = rows_key(raw.key)
    recorded = _recorded(objects, key)
    forms = [recorded, raw.provenance.adapter, declared.get(raw.provenance.source)]
    readings = [
        (form, parse(body, raw.provenance.group, form)) for form in dict.fromkeys(filter(None, forms))
    ]
    fitting = [(form, batch) for form, batch in readings if isinstance(batch, Batch)]
    if not fitting:
        difference = next(read for _, read in readings if isinstance(read, Difference))
        refuse(objects, raw, difference.text)
        return difference
    form, batch = fitting[0]
    if recorded and not differing(read_landed(objects, key), raw, batch.batch_number, batch.rows, form):
        return None
    replace_rows(objects, raw, batch.batch_number, batch.rows, form)
    logger.warning("rows_replayed key=%s adapter=%s rows=%d", key, form, len(batch.rows))
    return key


def _recorded(objects: Objects, key: str) -> str | None:
    """The form that a row file says it was read in; None where there is none that can be read."""
    if not objects.exists(key):
        return None
    try:
        adapters = read_landed(objects, key)["adapter"].unique().to_pylist()
    except RowsDamaged:
        return None
    return adapters[0] if len(adapters) == 1 else None
