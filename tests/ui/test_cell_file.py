"""A person's file of cells."""

import io
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.covertype import covertype
from contracts.errors import OutsideContract, RowsUnreadable
from tests.tabular import people
from ui.reading.cell_file import CHUNK, read_cells
from ui.reading.cells import example_cell
from ui.reading.exact import shown_frame
from ui.views.download import csv_of_frame

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
    assert file.frame["plot"].tolist() == ["7", "8", "9"]  # as it is written: it may be no number


def test_a_large_file_is_cut_into_requests() -> None:
    chunks = list(read_cells("cells.csv", as_csv(frame(CHUNK + 5))).chunks())
    assert [chunk.count(b"\n") - 1 for chunk in chunks] == [CHUNK, 5]


@pytest.mark.parametrize("empty", ["", "NA", " "])
def test_a_cell_without_a_number_is_named_as_it_is_written_and_no_other(empty: str) -> None:
    rows = [{**example_cell().features, "elevation_m": 3000 + place} for place in range(9)]
    content = people.as_csv(people.changed(rows, 8, elevation_m=empty))
    with pytest.raises(OutsideContract) as refused:
        read_cells("cells.csv", content.encode())
    (fault,) = refused.value.violations
    assert (fault["row"], fault["field"], fault["value"]) == (8, "elevation_m", empty or None)


def test_numbers_are_shown_as_they_were_read(tmp_path: Path) -> None:
    rows = [dict(example_cell().features)] * 3
    text = people.as_csv(rows, ";", text=lambda value: f"{value},0" if isinstance(value, int) else value)
    file = read_cells("CELLS.CSV.GZ", people.packed(text.encode("utf-16")))
    assert file.frame["elevation_m"].tolist() == [2596] * 3
    assert list(file.chunks()) == [as_csv(frame())]


def test_a_persons_own_numbers_keep_every_digit_in_the_table_and_in_both_files() -> None:
    own = {
        "id": pa.array([2**53 + 1, None, 7]),
        "far": pa.array([2**63 + 1, None, 7], pa.uint64()),
        "full": pa.array([2**63 + 1, 8, 7], pa.uint64()),
    }
    table = pa.Table.from_pandas(frame(), preserve_index=False)
    for name, values in own.items():
        table = table.append_column(name, values)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    kept = read_cells("cells.parquet", sink.getvalue()).frame
    taken = pq.read_table(io.BytesIO(kept.to_parquet())).select(list(own))
    assert taken.to_pydict() == {name: values.to_pylist() for name, values in own.items()}
    lines = [line.split(",")[-3:] for line in csv_of_frame(kept).decode().splitlines()[1:]]
    assert lines == [[str(2**53 + 1), *[str(2**63 + 1)] * 2], ["", "", "8"], ["7", "7", "7"]]
    assert shown_frame(kept)["id"].dropna().tolist() == [str(2**53 + 1), "7"]
    assert shown_frame(kept)["elevation_m"].tolist() == [2596] * 3


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (as_csv(frame().drop(columns=["slope_deg"])), "lacks the column slope_deg"),
        (as_csv(frame().head(0)), "it has 0 rows"),
        (b"\xff\xfe\x00", "cells.csv"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_why(content: bytes, what: str) -> None:
    with pytest.raises(RowsUnreadable, match=what):
        read_cells("cells.csv", content)
