"""A person's file of cells, CSV or Parquet, read for a look and cut into requests."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.covertype import covertype
from contracts.errors import RowsUnreadable

if TYPE_CHECKING:
    import pandas as pd

MEGABYTES, ROWS = 50, 1_000_000
# As many as the service holds in memory at a time: between two of them the page tells how far it is.
CHUNK = 16_384


@dataclass(frozen=True)
class CellFile:
    """The file's rows.

    Attributes:
        name: As the person named it.
        frame: All its columns, in its own order and names.
        cells: The twelve features of it, by the contract's names.
    """

    name: str
    frame: pd.DataFrame
    cells: pd.DataFrame

    def chunks(self) -> Iterator[bytes]:
        """The cells as CSV, CHUNK of them at a time."""
        for start in range(0, len(self.cells), CHUNK):
            yield self.cells.iloc[start : start + CHUNK].to_csv(index=False).encode("utf-8")


def read_cells(name: str, content: bytes) -> CellFile:
    """Reads a file whose columns bear the contract's names or the source's, in any order; others are kept.

    Raises: RowsUnreadable, naming what is missing.
    """
    frame = _frame(name, content)
    if not len(frame):
        raise RowsUnreadable(name, "it has no rows")
    if len(frame) > ROWS:
        raise RowsUnreadable(name, f"it has {len(frame):,} rows, and at most {ROWS:,} are taken at once")
    found = {_name(column): column for column in frame.columns}
    missing = [column.name for column in covertype().features if column.name not in found]
    if missing:
        raise RowsUnreadable(name, f"it lacks the columns {', '.join(missing)}")
    cells = frame[[found[column.name] for column in covertype().features]]
    return CellFile(name, frame, cells.set_axis([column.name for column in covertype().features], axis=1))


def _frame(name: str, content: bytes) -> pd.DataFrame:
    import pandas as pd

    try:
        if name.lower().endswith(".parquet"):
            return pd.read_parquet(io.BytesIO(content))
        return pd.read_csv(io.BytesIO(content))
    except Exception as error:  # each reader has its own
        raise RowsUnreadable(name, f"{type(error).__name__}: {error}") from error


def _name(column: object) -> str:
    """The contract's name of a column in either spelling; others keep their own."""
    try:
        return covertype().column(str(column)).name
    except KeyError:
        return str(column)
