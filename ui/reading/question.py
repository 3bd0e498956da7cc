"""A person's query to the lake as it is published: within limits of rows, bytes, memory, time and company."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from contracts.errors import QueriesBusy, QueryFailed
from lake.read.question import Bounds, Questions
from lake.settings import LakeSettings
from ui.reading.exact import exact_frame
from ui.reading.pointer import publication
from ui.settings import UiSettings

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ROW_LIMIT = 1_000


@dataclass(frozen=True)
class Found:
    """What a query gave.

    Attributes:
        frame: At most ROW_LIMIT rows.
        is_cut: Whether there are more.
        seconds: How long it took.
    """

    frame: pd.DataFrame
    is_cut: bool
    seconds: float


class Desk:
    """Takes the questions of every visitor of this process, so many at once."""

    def __init__(self, lake: LakeSettings, at_once: int) -> None:
        self._questions = Questions(lake)
        self._at_once = at_once
        self._places = threading.BoundedSemaphore(at_once)

    def open(self) -> None:
        """Loads DuckDB while a person still reads the page."""
        threading.Thread(target=self._questions.start, daemon=True).start()

    def close(self) -> None:
        """Ends the process that waits for questions."""
        self._questions.close()

    @contextmanager
    def place(self, wait_s: float) -> Iterator[Questions]:
        """Waits for a place. Raises: QueriesBusy."""
        if not self._places.acquire(timeout=wait_s):
            raise QueriesBusy(self._at_once, wait_s)
        try:
            yield self._questions
        finally:
            self._places.release()


def open_desk(lake: LakeSettings, ui: UiSettings) -> None:
    """Has everything ready for the first question."""
    _desk(lake, ui.questions_at_once).open()


def ask_lake(lake: LakeSettings, query: str, ui: UiSettings | None = None) -> Found:
    """Runs a query at the pointer, in a process that can only read it.

    Args:
        lake: Where the lake is.
        query: One DuckDB query over the schemas silver and gold.
        ui: What a question may take.

    Raises: QueriesBusy; QueryTooLong; QueryTooLarge; QueryFailed with DuckDB's words; QueryWrites;
        QueryRefused; NothingPublished.
    """
    ui = ui or UiSettings()
    bounds = Bounds(
        rows=ROW_LIMIT + 1,
        seconds=ui.question_timeout_s,
        memory_bytes=ui.question_memory_mb * 1_000_000,
        answer_bytes=ui.question_answer_mb * 1_000_000,
    )
    published = publication(lake)
    with _desk(lake, ui.questions_at_once).place(ui.question_timeout_s) as questions:
        began = time.monotonic()
        frame = _frame(query, questions.answer(published.snapshot_id, query, bounds))
    return Found(frame.head(ROW_LIMIT), len(frame) > ROW_LIMIT, time.monotonic() - began)


def _frame(query: str, found: pa.Table) -> pd.DataFrame:
    """Returns the rows with numbers as numbers: a sum of integers comes as a decimal, which no chart
    draws."""
    import pyarrow as pa

    try:
        for place, field in enumerate(found.schema):
            if pa.types.is_decimal(field.type):
                found = found.set_column(place, field.name, _number(found.column(place)))
        return exact_frame(found)
    except (pa.ArrowException, ValueError, OverflowError, KeyError, MemoryError) as error:
        raise QueryFailed(query, f"a table cannot show its answer ({error})") from None


def _number(decimals: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decimals in a type that a chart draws; as they are where it would change one of them."""
    import pyarrow as pa

    kind = pa.int64() if decimals.type.scale == 0 else pa.float64()
    try:
        numbers = decimals.cast(kind, safe=False)
        return numbers if numbers.cast(decimals.type, safe=False).equals(decimals) else decimals
    except pa.ArrowInvalid:
        return decimals


@cache
def _desk(lake: LakeSettings, at_once: int) -> Desk:
    desk = Desk(lake, at_once)
    atexit.register(desk.close)
    return desk
