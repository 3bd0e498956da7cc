"""A person's query to the lake as it is published: within limits of rows, bytes, memory, time and company."""

from __future__ import annotations

import atexit
import threading
import time
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


def prepare_questions(lake: LakeSettings) -> None:
    """Loads DuckDB while a person still reads the page."""
    threading.Thread(target=_questions(lake).start, daemon=True).start()


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
    places = _places(lake, ui.questions_at_once)
    if not places.acquire(timeout=ui.question_timeout_s):
        raise QueriesBusy(ui.questions_at_once, ui.question_timeout_s)
    try:
        began = time.monotonic()
        frame = _frame(query, _questions(lake).answer(published.snapshot_id, query, bounds))
    finally:
        places.release()
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
    """Returns decimals in a type that a chart draws; as they are where it would change one of them."""
    import pyarrow as pa

    kind = pa.int64() if decimals.type.scale == 0 else pa.float64()
    try:
        numbers = decimals.cast(kind, safe=False)
        return numbers if numbers.cast(decimals.type, safe=False).equals(decimals) else decimals
    except pa.ArrowInvalid:
        return decimals


@cache
def _questions(lake: LakeSettings) -> Questions:
    questions = Questions(lake)
    atexit.register(questions.close)
    return questions


@cache
def _places(lake: LakeSettings, at_once: int) -> threading.BoundedSemaphore:  # noqa: ARG001 - a key
    """Returns the places of all visitors of this process."""
    return threading.BoundedSemaphore(at_once)
