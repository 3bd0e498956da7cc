"""Segments of predictions, merged: a day's in one object, once gold has them and the day is over."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.errors import LakeError, NothingPublished
from lake.bronze.predictions import (
    MERGED,
    PREDICTIONS,
    SCHEMA,
    first_segment,
    is_object,
    key_of,
    merged_digest,
)
from lake.catalog.connection import connect
from lake.catalog.settled import settled_now
from lake.catalog.tables import values_of
from lake.catalog.writer import one_writer
from lake.objects import Objects, open_objects
from lake.publish.pointer import latest
from lake.settings import LakeSettings

logger = logging.getLogger(__name__)

# A day's last segments are shipped within a minute, and refined a few later.
OVER_SINCE = timedelta(hours=1)
ROWS_AT_ONCE = 200_000  # in one merged object: about 10 MB, and 60 MB while it is made
STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Attributes:
        segments: Segments that were merged into
        objects: so many objects.
        removed: Segments by themselves that were removed, because a merged object has had them for long.
        objects_before: Objects of predictions in bronze before, and
        objects_after: how many there are now.
        faults: What could not be read, and was left as it is; one sentence each.
    """

    segments: int
    objects: int
    removed: int
    objects_before: int
    objects_after: int
    faults: tuple[str, ...] = ()


def merge_predictions(settings: LakeSettings, *, now: datetime | None = None) -> Merged:
    """Merges the segments of days that are over, and removes those that were merged long ago.

    Only segments that published gold has are merged. A merged object is written under the hash of its bytes,
    and read back before what it holds is removed, which is after the longest time that any reader takes
    (LAKE_KEEP_FILES_HOURS). Whoever reads meanwhile, or after a kill at any moment, reads each row once.

    Args:
        settings: Where the lake is, and how long readers may take.
        now: The time; it is now where None.

    Raises: LakeBusy; StoreUnavailable; ClockDoubted.
    """
    now, objects = now or settled_now(settings), open_objects(settings)
    with one_writer(settings):
        known = _known(settings)
        keys = [key for key in objects.keys(PREDICTIONS) if is_object(key)]
        days = [list(day) for _, day in groupby(keys, lambda key: key.rpartition("/")[0])]
        done = [_Day(settings, objects, day, now).merge(known) for day in days]
        merged = Merged(
            segments=sum(one.segments for one in done),
            objects=sum(one.objects for one in done),
            removed=sum(one.removed for one in done),
            objects_before=len(keys),
            objects_after=sum(map(is_object, objects.keys(PREDICTIONS))),
            faults=tuple(fault for one in done for fault in one.faults),
        )
    logger.info(
        "predictions_merged segments=%d objects=%d removed=%d before=%d after=%d",
        *list(vars(merged).values())[:5],
    )
    return merged


class _Day:
    """One day's objects."""

    def __init__(self, settings: LakeSettings, objects: Objects, keys: Sequence[str], now: datetime) -> None:
        self._settings, self._objects, self._now = settings, objects, now
        self._merged_keys = [key for key in keys if merged_digest(key)]
        self._waiting = {first_segment(key): key for key in keys if not merged_digest(key)}
        self.segments = self.objects = self.removed = 0
        self.faults: list[str] = []

    def merge(self, known: set[str]) -> _Day:
        """Merges what is to be merged, and removes what may be removed. Returns: itself."""
        if not self._waiting:
            return self
        for key in self._merged_keys:
            self._take_over(key)
        if self._waiting and self._is_over():
            wanted = sorted(segment for segment in self._waiting if segment in known)
            for rows in self._chunks(wanted):
                self._take_over(self._write(rows))
        return self

    def _is_over(self) -> bool:
        first = min(self._waiting)
        begun = datetime.strptime(first[:8], "%Y%m%d").replace(tzinfo=UTC)
        return begun + timedelta(days=1) + OVER_SINCE <= self._now

    def _chunks(self, segments: Sequence[str]) -> Iterator[pa.Table]:
        """Yields rows of several segments each; one that is left over stays by itself."""
        chunk: list[pa.Table] = []
        for segment in segments:
            rows = self._read(self._waiting[segment])
            if rows is None or pc.unique(rows["segment"]).to_pylist() != [segment]:
                continue
            if len(chunk) > 1 and sum(map(len, chunk)) + len(rows) > ROWS_AT_ONCE:
                yield pa.concat_tables(chunk)
                chunk = []
            chunk.append(rows)
        if len(chunk) > 1:
            yield pa.concat_tables(chunk)

    def _write(self, rows: pa.Table) -> str:
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, store_schema=False)
        data = buffer.getvalue()
        segments = pc.unique(rows["segment"])
        folder = key_of(segments[0].as_py()).rpartition("/")[0]
        digest = hashlib.sha256(data).hexdigest()
        key = f"{folder}/{segments[0].as_py()}.merged-{self._now:{STAMP}}-{digest}.parquet"
        self._objects.put_new(key, data)
        self.segments, self.objects = self.segments + len(segments), self.objects + 1
        return key

    def _take_over(self, key: str) -> None:
        """Takes what a merged object holds for done; removes it where the object has been there for long."""
        rows = self._read(key)
        if rows is None:
            return
        is_old = self._now - _merged_at(key) >= timedelta(hours=self._settings.keep_files_hours)
        for segment in pc.unique(rows["segment"]).to_pylist():
            single = self._waiting.pop(segment, None)
            if single and is_old:
                self._remove(single, rows.filter(pc.equal(rows["segment"], segment)))

    def _remove(self, key: str, merged: pa.Table) -> None:
        rows = self._read(key)
        if rows is None:
            return
        if not rows.equals(merged):
            self.faults.append(f"{key} has other rows than the object that it was merged into: both stay")
            return
        self._objects.remove(key)
        self.removed += 1

    def _read(self, key: str) -> pa.Table | None:
        """Returns an object's rows; None, and a fault, where it is not what it should be."""
        try:
            data = self._objects.read(key)
            if (digest := merged_digest(key)) and hashlib.sha256(data).hexdigest() != digest:
                raise ValueError("its bytes are not those that were written")
            return pq.read_table(io.BytesIO(data)).select(SCHEMA.names).cast(SCHEMA)
        except (LakeError, ValueError, KeyError, OSError) as error:
            self.faults.append(f"{key} cannot be read, and stays as it is: {' '.join(str(error).split())}")
            logger.warning("predictions_not_merged key=%s reason=%r", key, str(error))
            return None


def _merged_at(key: str) -> datetime:
    named = MERGED.fullmatch(key.rpartition("/")[2])
    return datetime.strptime(named["at"] if named else "", STAMP).replace(tzinfo=UTC)


def _known(settings: LakeSettings) -> set[str]:
    """Returns the segments that published gold has."""
    try:
        publication = latest(settings)
        if publication is None:
            return set()
        with connect(settings, snapshot_id=publication.snapshot_id) as connection:
            return values_of(connection, "gold.predictions", "segment")
    except NothingPublished:
        return set()
