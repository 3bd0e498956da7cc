"""A file that somebody uploads on the page of the prediction: it is read, or one sentence says why not."""

from __future__ import annotations

import contextlib
import gzip
import io
import random
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.covertype import covertype
from contracts.errors import OutsideContract, RowsUnreadable
from tabular.formats import CHOSEN
from tests.attacks.state import compared, unchanged
from tests.lake.landed import lake_in
from tests.lake.published import fill_with_numbers
from ui.reading import cell_file
from ui.reading.cell_file import read_cells
from ui.reading.cells import example_cell
from ui.settings import UiSettings

UI = UiSettings(upload_memory_mb=600, upload_timeout_s=20)
FEATURES = [column.name for column in covertype().features]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a published lake, and a folder for what is written while a file is read."""
    folder = tmp_path_factory.mktemp("home")
    fill_with_numbers(lake_in(folder))
    (folder / "tmp").mkdir()
    return folder


@pytest.fixture(autouse=True)
def _home_is_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compares the home before and after each upload that has a name, and each run of changed ones."""
    lake = lake_in(home)
    for name, value in (("CANOPY_HOME", str(home)), ("LAKE_URI", lake.uri), ("LAKE_CATALOG", lake.catalog)):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", str(home / "tmp"))
    monkeypatch.chdir(home)
    with unchanged(home):
        yield


def cells(rows: int = 3) -> pd.DataFrame:
    return pd.DataFrame([dict(example_cell().features)] * rows)


def as_parquet(table: pa.Table | pd.DataFrame, **options: object) -> bytes:
    buffer = io.BytesIO()
    given = pa.Table.from_pandas(table) if isinstance(table, pd.DataFrame) else table
    pq.write_table(given, buffer, **options)
    return buffer.getvalue()


def as_arrow(table: pd.DataFrame, *, is_file: bool, compression: str | None = None) -> bytes:
    buffer, given = io.BytesIO(), pa.Table.from_pandas(table, preserve_index=False)
    opened = pa.ipc.new_file if is_file else pa.ipc.new_stream
    with opened(buffer, given.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(given, max_chunksize=15)
    return buffer.getvalue()


def dictionary_bomb(*, keeps_dictionary: bool) -> bytes:
    """One text of 4 MB, 200,000 times: a few thousand bytes as Parquet."""
    table, rows = pa.Table.from_pandas(cells(1), preserve_index=False), 200_000
    columns = {name: pa.array([table.column(name)[0].as_py()] * rows) for name in table.column_names}
    words = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * 4_000_000]))
    columns["note"] = words
    return as_parquet(pa.table(columns), compression="zstd", store_schema=keeps_dictionary)


NAMES = (",".join(FEATURES) + "\n").encode()
BOMBS = {
    "a text repeated by a dictionary": ("a.parquet", lambda: dictionary_bomb(keeps_dictionary=False)),
    "the same that stays a dictionary": ("a.parquet", lambda: dictionary_bomb(keeps_dictionary=True)),
    "200,000 columns": ("a.csv", lambda: ",".join(f"c{n}" for n in range(200_000)).encode() + b"\n1"),
    "5,000 columns": ("a.parquet", lambda: as_parquet(pa.table({f"c{n}": [1] for n in range(5_000)}))),
    "one line without an end": ("a.csv", lambda: b"a" * 20_000_000),
    "more values than names": ("a.csv", lambda: NAMES + b"1," * 300_000 + b"\n"),
    "more rows than are taken": ("a.csv", lambda: NAMES + (b"1," * 11 + b"1\n") * 1_000_001),
    "no file at all": ("a.parquet", lambda: b""),
    "half a file": ("a.parquet", lambda: as_parquet(cells())[:200]),
    "another kind of file": ("a.parquet", lambda: zlib.compress(b"x" * 1_000)),
}


WHOLE = {
    "cells.csv": lambda: cells(50).to_csv(index=False).encode(),
    "cells.parquet": lambda: as_parquet(cells(50)),
    "cells.csv.gz": lambda: gzip.compress(
        cells(50).to_csv(sep=";", decimal=",", float_format="%.1f").encode("utf-16")
    ),
    "cells.json": lambda: cells(50).to_json(orient="records").encode(),
    "cells.jsonl": lambda: cells(50).to_json(orient="records", lines=True).encode(),
    "cells.tsv": lambda: cells(50).to_csv(index=False, sep="\t").encode(),
    "cells.arrows": lambda: as_arrow(cells(50), is_file=False),
    "cells.arrow": lambda: as_arrow(cells(50), is_file=True),
    "cells.feather": lambda: as_arrow(cells(50), is_file=True, compression="zstd"),
}
# The same content by another name.
ALSO = {"txt": "csv", "data": "csv", "gz": "csv.gz", "ndjson": "jsonl"}


@pytest.mark.parametrize("what", BOMBS)
def test_a_file_that_takes_too_much_costs_one_sentence(home: Path, what: str) -> None:
    name, make = BOMBS[what]
    content, began = make(), time.monotonic()
    with (
        unchanged(home),
        pytest.raises(RowsUnreadable, match=r"a\.(csv|parquet) cannot be used: ") as refused,
    ):
        read_cells(name, content, UI)
    assert len(str(refused.value)) < 1_500
    assert time.monotonic() - began < 120
    assert len(read_cells("cells.csv", cells().to_csv(index=False).encode(), UI).cells) == 3


def test_a_file_that_an_upload_had_left_would_be_noticed(home: Path) -> None:
    with pytest.raises(AssertionError, match="tmp/left"), unchanged(home):
        Path(tempfile.gettempdir(), "left").write_bytes(cells().to_csv().encode())
    (home / "tmp" / "left").unlink()


def test_columns_beside_the_contracts_are_kept_up_to_a_number() -> None:
    table = cells().assign(plot=["a", "b", "c"])
    assert list(read_cells("cells.parquet", as_parquet(table), UI).frame["plot"]) == ["a", "b", "c"]
    wide = pd.concat([table, pd.DataFrame({f"more{n}": [n] * 3 for n in range(100)})], axis=1)
    with pytest.raises(RowsUnreadable, match="it has 113 columns, and at most 100 are taken"):
        read_cells("cells.csv", wide.to_csv(index=False).encode(), UI)


def test_every_form_that_the_page_takes_is_changed() -> None:
    assert {ALSO.get(ending, ending) for ending in CHOSEN} == {name.partition(".")[2] for name in WHOLE}


def mutated(whole: bytes, count: int, seed: int) -> Iterator[bytes]:
    """So many files with up to five bytes changed, some of them cut."""
    drawn = random.Random(seed)
    for _ in range(count):
        content = bytearray(whole)
        for _ in range(drawn.randrange(1, 6)):
            content[drawn.randrange(len(content))] = drawn.randrange(256)
        if drawn.random() < 0.2:
            del content[drawn.randrange(len(content)) :]
        yield bytes(content)


@pytest.mark.long
@pytest.mark.parametrize("name", WHOLE)
def test_mutated_files_are_read_or_refused_and_nothing_else_happens(
    name: str, home: Path, pytestconfig: pytest.Config
) -> None:
    """The long form: `--mutations 20000`."""
    whole, count = WHOLE[name](), int(pytestconfig.getoption("mutations")) or 40
    read_cells(name, whole, UI)
    warm = cell_file._reader().sandbox._process
    for some in compared(home, mutated(whole, count, 11), seed=11):
        for content in some:
            with contextlib.suppress(RowsUnreadable, OutsideContract):
                read_cells(name, content, UI)
    assert warm is cell_file._reader().sandbox._process
    assert warm
    assert warm.poll() is None
