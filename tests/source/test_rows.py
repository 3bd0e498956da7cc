"""Files of rows are read as strings, or refused by what differs; tests/tabular has the cases."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from contracts.covertype import covertype
from contracts.errors import RowsUnreadable
from source.simulator.rows import read_rows as read_rows_alone
from tabular.calling import TableCaller

Read = Callable[[Path], pa.Table]
NAMES = [column.source_name for column in covertype().columns]


def write(table: pa.Table, path: Path) -> Path:
    """Writes the format that the name says."""
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return path
    plain = path.with_name("plain.csv")
    pyarrow.csv.write_csv(table, plain)
    content = plain.read_bytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.fixture(scope="module")
def read_rows() -> Iterator[Read]:
    """Reads files in one process after the other, all of one warm process."""
    with closing(TableCaller()) as caller:
        yield partial(read_rows_alone, caller=caller)


def test_a_file_is_read_by_a_process_of_its_own_that_ends_with_it(tmp_path: Path, rows: pa.Table) -> None:
    before = psutil.Process().children(recursive=True)
    assert read_rows_alone(write(rows, tmp_path / "rows.csv")).equals(rows)
    assert psutil.Process().children(recursive=True) == before


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "rows.parquet", "ROWS.CSV", "rows.DATA", "rows"])
def test_every_format_gives_the_same_strings(
    read_rows: Read, tmp_path: Path, rows: pa.Table, name: str
) -> None:
    assert read_rows(write(rows, tmp_path / name)).equals(rows)


def test_the_surveys_file_has_the_contracts_columns_as_strings(read_rows: Read, survey: Path) -> None:
    table = read_rows(survey)
    assert table.column_names == NAMES
    assert set(table.schema.types) == {pa.string()}
    assert table.num_rows >= 20_000


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_columns_in_another_order_are_put_in_the_contracts(
    read_rows: Read, tmp_path: Path, rows: pa.Table, name: str
) -> None:
    assert read_rows(write(rows.select(NAMES[::-1]), tmp_path / name)).equals(rows)


def test_integers_in_parquet_become_the_strings_that_the_source_would_send(
    read_rows: Read, tmp_path: Path, rows: pa.Table
) -> None:
    typed = rows.set_column(0, "Elevation", rows["Elevation"].cast(pa.int64()))
    assert read_rows(write(typed, tmp_path / "typed.parquet")).equals(rows)


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_dirt_is_kept_as_it_is(read_rows: Read, tmp_path: Path, rows: pa.Table, name: str) -> None:
    dirty = rows.slice(0, 200).set_column(2, "Slope", pa.array(["110", "", "NA", "null", "x"] * 40))
    assert read_rows(write(dirty, tmp_path / name)).equals(dirty)


def test_nulls_become_empty_strings(read_rows: Read, tmp_path: Path, rows: pa.Table) -> None:
    with_nulls = rows.slice(0, 200).set_column(3, NAMES[3], pa.array([None, "30"] * 100))
    assert read_rows(write(with_nulls, tmp_path / "a.parquet"))[NAMES[3]].to_pylist() == ["", "30"] * 100


def test_what_differs_is_named(read_rows: Read, tmp_path: Path, rows: pa.Table) -> None:
    odd = rows.rename_columns(["Height", *NAMES[1:]])
    with pytest.raises(
        RowsUnreadable, match=r"it lacks the column Elevation\. There are the columns 'Height', 'Aspect'"
    ):
        read_rows(write(odd, tmp_path / "odd.csv"))
    truths = rows.set_column(0, "Elevation", pa.array([True] * rows.num_rows))
    with pytest.raises(RowsUnreadable, match="Elevation='bool'; allowed is integer"):
        read_rows(write(truths, tmp_path / "truths.parquet"))
    with pytest.raises(RowsUnreadable, match="it has 99 rows"):
        read_rows(write(rows.slice(0, 99), tmp_path / "few.csv"))


def test_the_one_hot_form_is_known_by_its_width(read_rows: Read, tmp_path: Path) -> None:
    one_hot = pa.table({f"{place}": ["0"] for place in range(55)})
    with pytest.raises(RowsUnreadable, match="canopy source fetch"):
        read_rows(write(one_hot, tmp_path / "one_hot.csv"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.csv", None),
        ("empty.csv", b""),
        ("short.csv", b"a,b\n1,2\n3\n"),
        ("odd.parquet", b"PAR1 no more"),
        ("odd.csv.gz", b"not gzip"),
        ("rows.xlsx", b"PK\x03\x04"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    read_rows: Read, tmp_path: Path, name: str, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RowsUnreadable, match=name):
        read_rows(tmp_path / name)


def test_a_folder_is_not_a_file_of_rows(read_rows: Read, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(RowsUnreadable, match=r"folder\.csv"):
        read_rows(tmp_path / "folder.csv")
