"""A file of rows for the simulator, changed at random: it is read or refused, by a process that may die."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from contracts.errors import RowsUnreadable
from source.simulator.rows import read_rows
from source.simulator.synthetic import generate
from tabular.calling import TableCaller
from tests.attacks.mutations import mutations
from tests.attacks.state import compared

TABLE = generate(120, seed=3)
AT_ONCE = 4  # each change costs a process, some 20 ms of a core


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    sink = io.BytesIO()
    write(sink)
    return sink.getvalue()


def as_csv(delimiter: str = ",") -> bytes:
    """The rows as CSV."""
    options = pa_csv.WriteOptions(delimiter=delimiter)
    return _written(lambda sink: pa_csv.write_csv(TABLE, sink, options))


def as_arrow(*, is_file: bool) -> bytes:
    """The rows as an Arrow stream or file."""

    def write(sink: io.BytesIO) -> None:
        with (pa.ipc.new_file if is_file else pa.ipc.new_stream)(sink, TABLE.schema) as writer:
            writer.write_table(TABLE, max_chunksize=50)

    return _written(write)


def as_json() -> bytes:
    """The rows as lines of JSON."""
    return "".join(json.dumps(row) + "\n" for row in TABLE.to_pylist()).encode()


SEEDS: dict[str, Callable[[], bytes]] = {
    "rows.csv": as_csv,
    "rows.tsv": lambda: as_csv("\t"),
    "rows.csv.gz": lambda: gzip.compress(as_csv(";")),
    "rows.parquet": lambda: _written(lambda sink: pq.write_table(TABLE, sink, row_group_size=50)),
    "rows.arrow": lambda: as_arrow(is_file=True),
    "rows.arrows": lambda: as_arrow(is_file=False),
    "rows.jsonl": as_json,
}


def read_changed(caller: TableCaller, file: Path, changed: Iterable[bytes]) -> int:
    """Has each read from a file of its own; how many were refused."""
    refused = 0
    for content in changed:
        file.write_bytes(content)
        try:
            found = read_rows(file, caller)
        except RowsUnreadable:
            refused += 1
        else:
            assert found.column_names == TABLE.column_names
        assert file.read_bytes() == content
    return refused


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in that lies in a home, beside one for what is written meanwhile."""
    for folder in ("tmp", "rows"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path / "rows")
    return tmp_path


@pytest.mark.parametrize("name", SEEDS)
def test_changed_rows_for_the_simulator_are_read_or_refused_and_nothing_else_happens(
    name: str, home: Path, pytestconfig: pytest.Config
) -> None:
    """The long form: `--mutations 20000`.

    The process that reads them works in `/`, and may write nowhere there; what is compared is the home of
    who calls it.
    """
    whole, files = home / name, [home / "rows" / f"{number}-{name}" for number in range(AT_ONCE)]
    whole.write_bytes(SEEDS[name]())
    count, refused = int(pytestconfig.getoption("mutations")) or 15, 0
    inputs, written = mutations([whole.read_bytes()], count, seed=5), {f"rows/{file.name}" for file in files}
    with closing(TableCaller()) as caller, ThreadPoolExecutor(AT_ONCE) as pool:
        assert read_rows(whole, caller).num_rows == 120
        warm = caller.sandbox._process
        # The four files are written here, and each is compared with what was written.
        for some in compared(home, inputs, seed=5, but=written.__contains__):
            shares = [some[number::AT_ONCE] for number in range(AT_ONCE)]
            refused += sum(pool.map(read_changed, [caller] * AT_ONCE, files, shares))
        assert warm is caller.sandbox._process
        assert warm
        assert warm.poll() is None
    assert refused > 0
