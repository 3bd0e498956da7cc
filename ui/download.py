"""What a person takes along: rows as CSV, which every spreadsheet opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def csv_of(rows: Sequence[Mapping[str, object]]) -> bytes:
    """The rows with their names on top, in UTF-8."""
    import pandas as pd

    content: str = pd.DataFrame(list(rows)).to_csv(index=False)
    return content.encode("utf-8")
