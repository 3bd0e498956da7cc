"""All that the next build takes in, looked at before it."""

from __future__ import annotations

import re
from collections.abc import Callable

import duckdb
import pyarrow as pa

from contracts.errors import NothingPublished, RowsDamaged
from contracts.landing_id import name_in
from lake.bronze import predictions
from lake.bronze.landings import ROWS
from lake.bronze.unreadable import set_aside_if, set_strays_aside, set_unreadable_rows_aside
from lake.catalog.connection import connect
from lake.catalog.tables import values_of
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from training.judge import prequential_predictions

SEGMENT_KEY = re.compile(rf"{predictions.PREDICTIONS}/date=\d{{4}}-\d{{2}}-\d{{2}}/[^/]+")


def sweep(settings: LakeSettings, *, everything: bool = False) -> list[str]:
    """Looks at all that the next build takes in, and moves what it could not read.

    Args:
        settings: Where the lake is.
        everything: Whether the build reads all of bronze anew.

    Returns: the keys that are no longer there.
    Raises: StoreUnavailable.
    """
    objects = open_objects(settings)
    set_strays_aside(objects)
    landings, segments = (set(), set()) if everything else _built(settings)
    rows = [key for key in objects.keys(ROWS) if name_in(key) not in landings]
    logged = [key for key in objects.keys(predictions.PREDICTIONS) if name_in(key) not in segments]
    answers = [key for key in objects.keys(prequential_predictions.ANSWERED) if name_in(key) not in landings]
    return [
        *set_unreadable_rows_aside(objects, rows),
        *set_aside_if(objects, logged, lambda key: _segment_fault(objects, key)),
        *set_aside_if(objects, answers, lambda key: _answers_fault(objects, key)),
    ]


def _built(settings: LakeSettings) -> tuple[set[str], set[str]]:
    """Returns the landings and the segments that the tables have, and no build reads again."""
    try:
        with connect(settings) as connection:
            unfinished = values_of(connection, "silver.pending_landings", "landing_id", "not is_finished")
            landings = values_of(connection, "silver.landings", "landing_id")
            return landings - unfinished, values_of(connection, "gold.predictions", "segment")
    except (NothingPublished, duckdb.Error):  # then everything is looked at
        return set(), set()


def _segment_fault(objects: Objects, key: str) -> str | None:
    if not (SEGMENT_KEY.fullmatch(key) and predictions.is_object(key)):
        return "it is no segment of predictions: the service writes no such name"
    return _parquet_fault(lambda: predictions.read(objects, key))


def _answers_fault(objects: Objects, key: str) -> str | None:
    return _parquet_fault(lambda: prequential_predictions.read(objects, key))


def _parquet_fault(read: Callable[[], pa.Table]) -> str | None:
    try:
        read().validate(full=True)
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError, RowsDamaged) as error:
        return f"it cannot be read: {type(error).__name__}: {error}"
    return None
