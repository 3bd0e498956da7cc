"""A person's file of cells."""

import io

import pandas as pd
import pytest

from contracts.covertype import covertype
from contracts.errors import RowsUnreadable
from ui.cell_file import CHUNK, read_cells
from ui.cells import example_cell

FEATURES = [column.name for column in covertype().features]


def frame(rows: int = 3) -> pd.DataFrame:
    return pd.DataFrame([dict(example_cell().features)] * rows)


def as_csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


def as_parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(("name", "write"), [("cells.csv", as_csv), ("CELLS.PARQUET", as_parquet)])
def test_both_kinds_hold_the_same_cells(name: str, write) -> None:
    file = read_cells(name, write(frame()))
    assert list(file.chunks()) == [as_csv(frame())]


def test_the_sources_names_in_any_order_and_other_columns_are_taken() -> None:
    names = {column.name: column.source_name for column in covertype().features}
    table = frame().rename(columns=names)[list(reversed(names.values()))].assign(plot=[7, 8, 9])
    file = read_cells("cells.csv", as_csv(table))
    assert list(file.cells.columns) == FEATURES
    assert file.frame["plot"].tolist() == [7, 8, 9]


def test_a_large_file_is_cut_into_requests() -> None:
    chunks = list(read_cells("cells.csv", as_csv(frame(CHUNK + 5))).chunks())
    assert [chunk.count(b"\n") - 1 for chunk in chunks] == [CHUNK, 5]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (as_csv(frame().drop(columns=["slope_deg"])), "lacks the columns slope_deg"),
        (as_csv(frame().head(0)), "no rows"),
        (b"\xff\xfe\x00", "cells.csv"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_why(content: bytes, what: str) -> None:
    with pytest.raises(RowsUnreadable, match=what):
        read_cells("cells.csv", content)
