"""What a person takes along: rows as CSV, which every spreadsheet opens, and as Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from contracts.outside import csv_safe
from ui.language import Texts

if TYPE_CHECKING:
    import pandas as pd


CSV, PARQUET, ICON = "text/csv", "application/vnd.apache.parquet", ":material/download:"


def show_downloads(texts: Texts, frame: pd.DataFrame, name: str) -> None:
    """Shows a table as files to take along."""
    with st.container(horizontal=True):
        content = csv_of_frame(frame)
        st.download_button(texts("lake.take_csv"), content, f"{name}.csv", CSV, icon=ICON)
        content = frame.to_parquet()
        st.download_button(texts("lake.take_parquet"), content, f"{name}.parquet", PARQUET, icon=ICON)


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
