"""What a person takes along: rows as CSV, which every spreadsheet opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from contracts.outside import csv_safe

if TYPE_CHECKING:
    import pandas as pd


def csv_of(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Returns the rows with their names on top, in UTF-8."""
    import pandas as pd

    return csv_of_frame(
        pd.DataFrame([{name: csv_safe(value) for name, value in row.items()} for row in rows])
    )


def csv_of_frame(frame: pd.DataFrame) -> bytes:
    """Returns a table with its names on top, in UTF-8, in which no spreadsheet finds a formula."""
    harmless = frame.rename(columns=csv_safe)
    for place, kind in enumerate(frame.dtypes):
        if kind.kind not in "biufM":
            harmless.isetitem(place, frame.iloc[:, place].map(csv_safe).array)
    content: str = harmless.to_csv(index=False)
    return content.encode("utf-8")
