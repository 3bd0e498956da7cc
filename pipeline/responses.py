"""The responses in bronze: which objects belong to each, and with which adapter its rows are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from contracts.errors import RawDamaged
from contracts.landing_id import name_in
from lake.bronze.landings import RAW, REFUSED, ROWS, Raw, raw_key, read_raw
from lake.objects import Objects
from source.adapters import is_adapter
from source.difference import Difference
from source.response import Batch, parse

# Told what is being looked at, how much of it is done, and how much there is.
OnStep = Callable[[str, int, int], None]
Result = TypeVar("Result")

# An S3 answers several at once; on a disk one is read while another is hashed.
WORKERS = 4


@dataclass(frozen=True)
class Response:
    """The keys of one response's objects; None where there is no such object."""

    raw: str | None
    rows: str | None
    refused: str | None

    @property
    def landing_id(self) -> str:
        """Returns what its objects have in common."""
        return name_in(self.raw or self.rows or self.refused or "")

    @property
    def orphans(self) -> str:
        """Returns the sentence on objects whose response is not there."""
        keys = " and ".join(key for key in (self.rows, self.refused) if key)
        return f"{keys} has no raw response. Restore that from a backup, or delete this"

    def unfounded(self, difference: Difference) -> str:
        """Returns the sentence on rows of a response that can have none."""
        misfit = f"{self.raw} does not fit the contract: {difference.text}"
        return f"{self.rows} holds rows, but {misfit}. Delete the rows"


@dataclass(frozen=True)
class Read:
    """A response with its rows, and with which adapter they were read."""

    batch: Batch
    adapter: str


def list_responses(objects: Objects) -> list[Response]:
    """Returns every response that bronze has an object of, by key.

    Raw objects are written first and listed last: what is landed meanwhile never lacks its response here.
    """
    refused, rows, raw = [_by_stem(objects, folder) for folder in (REFUSED, ROWS, RAW)]
    stems = sorted({*refused, *rows, *raw})
    return [Response(raw.get(stem), rows.get(stem), refused.get(stem)) for stem in stems]


def work_through(
    responses: Sequence[Response], work: Callable[[Response], Result], what: str, on_step: OnStep
) -> Iterator[Result]:
    """Does something with each response, several at a time; the results are in the order of the responses."""
    pool = ThreadPoolExecutor(WORKERS)
    try:
        for done, result in enumerate(pool.map(work, responses), start=1):
            on_step(what, done, len(responses))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def open_raw(objects: Objects, key: str) -> tuple[bytes, Raw]:
    """Returns a response, re-hashed, with a provenance that its key can have been made of.

    Raises: RawDamaged.
    """
    body, raw = read_raw(objects, key)
    if key != (made := raw_key(raw.provenance, raw.sha256)):
        raise RawDamaged(key, f"its provenance belongs to {made!r}")
    if not is_adapter(raw.provenance.adapter):
        raise RawDamaged(key, f"its adapter {raw.provenance.adapter!r} is not known here")
    return body, raw


def read_response(body: bytes, raw: Raw, others: Iterable[str | None] = ()) -> Read | Difference:
    """Reads a response with the adapter that it was fetched with; with another only where that cannot.

    Args:
        body: The response, byte for byte.
        raw: Its provenance.
        others: Further adapters to try, in this order.

    Returns: its rows, or what keeps its own adapter from reading them.
    """
    own = _read(body, raw, raw.provenance.adapter)
    if isinstance(own, Read):
        return own
    found = (_read(body, raw, adapter) for adapter in others if adapter)
    return next((read for read in found if isinstance(read, Read)), own)


def stored_adapter(rows: pa.Table | None) -> str | None:
    """Returns the adapter that a row file names; None if it names none, or several."""
    named = rows["adapter"].unique().to_pylist() if rows is not None else []
    return str(named[0]) if len(named) == 1 else None


def _read(body: bytes, raw: Raw, adapter: str) -> Read | Difference:
    batch = parse(body, raw.provenance.group, adapter)
    return batch if isinstance(batch, Difference) else Read(batch, adapter)


def _by_stem(objects: Objects, folder: str) -> dict[str, str]:
    """Returns the keys of a folder by what the objects of one response have in common."""
    return {key.removeprefix(folder).partition(".")[0]: key for key in objects.keys(folder)}
