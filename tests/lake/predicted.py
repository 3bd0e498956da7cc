"""Predictions for tests, as the service logs them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from contracts.covertype import covertype
from lake.bronze.predictions import SCHEMA
from tests.lake.landed import Row

MODEL = {"model_name": "forest", "model_version": 1, "model_snapshot_id": 1}
NO_SHADOW = dict.fromkeys(("shadow_version", "shadow_predicted", "shadow_probability"))


def predictions(segment: str, rows: Sequence[Row], at: datetime, **values: Any) -> pa.Table:
    """What a segment holds where one request asked about these rows, and was answered with class 1.

    Args:
        segment: Its name.
        rows: As the source writes them, the label last; it is left out.
        at: When the answer was given.
        values: Columns that are to be something else, the same in all rows.
    """
    answer = {"predicted": 1, "probability": 0.5, "probabilities": [0.1, 0.5, 0.1, 0.1, 0.1, 0.05, 0.05]}
    request = {"segment": segment, "request_id": f"of-{segment}", "predicted_at": at, "flags": []}
    always = {"latency_ms": 2.5, "key_id": "k1"} | request | answer | MODEL | NO_SHADOW | values
    entries = [
        _features(row) | {"sequence": place, "position": place} | always for place, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(entries, SCHEMA)


def _features(row: Row) -> dict[str, int | str]:
    return {
        column.name: int(value) if column.kind == "integer" else value
        for column, value in zip(covertype().columns, row, strict=True)
        if not column.is_label
    }
