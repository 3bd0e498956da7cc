"""What a model has learned from, in short: serving flags what it has hardly seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from contracts.covertype import Contract
from training.fit.rows import Rows


def seen(rows: Rows, contract: Contract) -> dict[str, Any]:
    """Returns lowest and highest value of each measured feature, and rows by value of each category.

    Args:
        rows: Those to learn from.
        contract: Names all values of a category; one that has no row is listed with 0.
    """
    ranges, counts = {}, {}
    for column in contract.features:
        values = rows.features[column.name][:, 0]
        if column.kind == "integer":
            ranges[column.name] = [int(values.min()), int(values.max())]
        else:
            found = dict(zip(*(item.tolist() for item in np.unique(values, return_counts=True)), strict=True))
            counts[column.name] = {value: int(found.get(value, 0)) for value in column.values}
    return {"rows": len(rows), "ranges": ranges, "counts": counts}
