"""The log of predictions: from memory to the local disk at once, from there to the lake."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from contracts.covertype import covertype
from contracts.errors import CanopyError, LandingConflict, ServiceBusy
from contracts.prediction import Flag
from contracts.put_away import QUARANTINE
from lake.bronze.predictions import put
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from serving.engine import Columns
from serving.http.metrics import Metrics
from serving.http.outside import Outside, SegmentDamaged
from serving.log.record import as_batch
from serving.log.spool import Spool, is_blank, read_segment
from serving.model.alias_follower import AliasFollower
from serving.settings import ServingSettings

LOG = logging.getLogger(__name__)
# What is held in memory at most while the disk takes nothing: some 60 MB.
HELD_ROWS = 100_000
STOP_WITHIN_S = 10.0
# What may be wrong at once, each with a sentence of its own.
WRITING, SHIPPING, PUT_AWAY = "writing", "shipping", "put away"


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as the log takes it.

    Attributes:
        lines: One a row, as `record.lines_of` makes them.
        latency_ms: From the request's head to its reply.
        flags: Of all its rows.
    """

    lines: Sequence[bytes]
    latency_ms: float
    flags: Sequence[Flag]


class PredictionLog:
    """Keeps every reply. A reply is on disk after `log_write_s`, in the lake after `log_ship_s`.

    Attributes:
        problem: Why replies are not kept or not shipped at present, or what was put away, in words, or None.
        lost: Rows that were dropped because the disk took nothing for too long.
    """

    def __init__(
        self,
        settings: ServingSettings,
        lake: LakeSettings,
        metrics: Metrics,
        shadow: AliasFollower | None,
        outside: Outside,
    ) -> None:
        self.lost = 0
        self.spool = Spool(settings.spool, settings.spool_limit_bytes)
        self._problems: dict[str, str | None] = {}
        self._settings = settings
        self._lake = lake
        self._objects: Objects | None = None
        self._metrics = metrics
        self._shadow = shadow
        self._outside = outside
        self._replies: deque[Reply] = deque()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._write_on, name="log-writer", daemon=True),
            threading.Thread(target=self._ship_on, name="log-shipper", daemon=True),
        ]

    @property
    def problem(self) -> str | None:
        """Returns what a person should know, or None."""
        return next((problem for problem in self._problems.values() if problem), None)

    def start(self) -> None:
        """Begins to write and to ship, in the background."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Writes what is left, and ships it if the store is there; else the next start does."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(STOP_WITHIN_S)

    def add(self, reply: Reply) -> None:
        """Takes a reply; it costs the request nothing but this."""
        self._replies.append(reply)

    def require_room(self) -> None:
        """Refuses a file whose predictions could not be kept. Raises: ServiceBusy."""
        if not self.spool.has_room():
            raise ServiceBusy("The predictions of a file cannot be kept at present: the spool is full")

    def add_batch(self, batch: pa.RecordBatch) -> None:
        """Takes many rows at once, in the columns of `record.LOGGED`; counts what cannot be kept."""
        try:
            self.spool.append(self._with_shadow(batch))
        except OSError as error:
            self._lose(batch.num_rows)
            self._report(WRITING, f"predictions cannot be written to {self.spool.folder}: {error}")
        self._metrics.rows.inc(batch.num_rows)

    def write(self) -> None:
        """Brings what has come to the disk."""
        replies = [self._replies.popleft() for _ in range(len(self._replies))]
        if not replies:
            return
        try:
            self.spool.append(
                self._with_shadow(as_batch([line for reply in replies for line in reply.lines]))
            )
        except OSError as error:
            self._hold(replies)
            self._report(WRITING, f"predictions cannot be written to {self.spool.folder}: {error}")
            return
        self._report(WRITING, None)
        flags = [flag for reply in replies for flag in reply.flags]
        rows = sum(len(reply.lines) for reply in replies)
        self._metrics.count([reply.latency_ms for reply in replies], rows, flags)

    def ship(self) -> None:
        """Brings every segment that is not open to the lake, and removes it here.

        One that cannot be read or does not fit costs itself alone: it is put away, and the next ones go on.
        """
        self.spool.close()
        for path in self.spool.segments():
            with self.spool.claimed(path) as is_mine:
                if is_mine:
                    self._ship_one(path)

    def _ship_one(self, path: Path) -> None:
        if is_blank(path):
            path.unlink()
            return
        try:
            self._outside.prove(path)
            segment, rows, fault = read_segment(path)
            if rows.num_rows:
                put(self._store(), segment, rows)
        except (ValueError, KeyError, LandingConflict, SegmentDamaged) as error:
            self.spool.quarantine(path, str(error).partition("\n")[0])
            return
        LOG.info("predictions_shipped segment=%s rows=%d", segment, rows.num_rows)
        if fault is None:
            path.unlink()
        else:
            self.spool.quarantine(path, f"its first {rows.num_rows} rows are in the lake; then: {fault}")

    def _lose(self, rows: int) -> None:
        self.lost += rows
        self._metrics.lost.inc(rows)

    def _store(self) -> Objects:
        if self._objects is None:
            self._objects = open_objects(self._lake)
        return self._objects

    def _with_shadow(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        model = self._shadow.model if self._shadow else None
        if model is None:
            return batch
        try:
            labels, probabilities = model.predict_columns(as_columns(batch))
        except Exception:  # a challenger's failure must not cost the champion's log; the trace says which
            LOG.exception("shadow_failed version=%s", model.version.number)
            return batch
        answers: dict[str, pa.Array] = {
            "shadow_version": pa.repeat(pa.scalar(int(model.version.number), pa.int32()), len(labels)),
            "shadow_predicted": pa.array(labels, pa.int32()),
            "shadow_probability": pa.array(probabilities.max(axis=1), pa.float32()),
        }
        columns = {name: answers.get(name, batch[name]) for name in batch.schema.names}
        return pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)

    def _write_on(self) -> None:
        while not self._stopped.wait(self._settings.log_write_s):
            self._safely(self.write)
        self._safely(self.write)

    def _ship_on(self) -> None:
        while True:
            is_last = self._stopped.wait(self._settings.log_ship_s)
            if is_last:
                self._threads[0].join(STOP_WITHIN_S)
            self._safely(self.ship)
            self._count()
            if is_last:
                return

    def _count(self) -> None:
        put_away = self.spool.quarantined()
        self._metrics.spool_bytes.set(self.spool.bytes)
        self._metrics.quarantined.set(put_away)
        folder = self.spool.folder / QUARANTINE
        said = f"{put_away} damaged segments of predictions lie in {folder}, each with its reason"
        self._report(PUT_AWAY, said if put_away else None)

    def _safely(self, step: Callable[[], None]) -> None:
        """Does a step; the thread outlives whatever it meets."""
        kind = SHIPPING if step == self.ship else WRITING
        try:
            step()
        except (CanopyError, OSError) as error:
            self._report(kind, f"predictions wait in {self.spool.folder}: {error}")
        except Exception as error:  # the log has the trace
            LOG.exception("prediction_log_failed")
            self._report(kind, f"predictions wait in {self.spool.folder}: {type(error).__name__}")
        else:
            if kind == SHIPPING:
                self._report(SHIPPING, None)

    def _hold(self, replies: Sequence[Reply]) -> None:
        self._replies.extendleft(reversed(replies))
        rows, dropped = sum(len(reply.lines) for reply in self._replies), 0
        while rows - dropped > HELD_ROWS:
            dropped += len(self._replies.popleft().lines)
        if dropped:
            self._lose(dropped)

    def _report(self, kind: str, problem: str | None) -> None:
        if problem is not None and problem != self._problems.get(kind):
            LOG.warning("predictions_not_kept problem=%s", problem)
        self._problems[kind] = problem


def as_columns(batch: pa.RecordBatch) -> Columns:
    """Returns the features of a batch as the model takes them."""
    columns = {}
    for column in covertype().features:
        values = batch[column.name].to_numpy(zero_copy_only=False)
        columns[column.name] = values.astype(np.int64 if column.kind == "integer" else object)
    return columns
