"""Rows in an order, so that each slice is another population than the one before it."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from contracts.covertype import covertype

Drift = Literal["none", "area", "elevation"]
COLUMNS: dict[Drift, str] = {"area": "wilderness_area", "elevation": "elevation_m"}
NUMBER = "^-?[0-9]{1,9}$"


def ordered(rows: pa.Table, drift: Drift) -> pa.Table:
    """Orders the rows by a column, and leaves them in their order where it is the same.

    Args:
        rows: Strings, shape (n_rows, 13).
        drift: `area` in the contract's order, `elevation` from low to high; what is no value of the column
            comes last.
    """
    if drift == "none":
        return rows
    column = covertype().column(COLUMNS[drift])
    texts = rows[column.source_name]
    keys = (
        pc.index_in(texts, value_set=pa.array(column.values))
        if drift == "area"
        else pc.cast(pc.if_else(pc.match_substring_regex(texts, NUMBER), texts, None), pa.int64())
    )
    return rows.take(pc.sort_indices(keys))
