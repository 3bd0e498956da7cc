"""Lists, objects and words by number, in a question or a file: they cost the process that reads them."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import QueryFailed, QueryTooLarge
from lake.read import question
from lake.read.question import Bounds, Questions
from lake.settings import LakeSettings
from sandbox.flat_tables import is_flat
from tabular.json_rows import LINE_BYTES
from tests.lake.landed import lake_in
from tests.lake.published import fill_with_numbers
from tests.tabular import people
from ui.reading.cell_file import read_cells
from ui.reading.question import ask_lake

MANY = 1_200_000
# What the page's process may grow by; as objects of Python's the values below take 90 to 240 MB.
MOST_MB = 60
GROWTH = """
import re, sys
from pathlib import Path
import pyarrow as pa
from lake.settings import LakeSettings
from ui.reading.cell_file import read_cells
from ui.reading.question import ask_lake
from ui.settings import UiSettings

def most_mb():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1000

kind, uri, catalog, what, ready = sys.argv[1:]
lake = LakeSettings(uri=uri, catalog=catalog)
content = Path(what).read_bytes() if kind == "upload" else b""
def do(asked, body):
    if kind == "upload":
        return len(read_cells("a.parquet", body, UiSettings(upload_timeout_s=120)).frame)
    return len(ask_lake(lake, asked, UiSettings(question_timeout_s=60)).frame)

print(do("select 1", Path(ready).read_bytes()))
before = most_mb()
try:
    print(do(what, content))
except Exception as error:
    print(type(error).__name__, str(error)[:200])
print(most_mb() - before)
"""
ENUM = "(case when range % 2 = 0 then 'first' else 'second' end)::enum('first', 'second')"
QUESTIONS = {
    "list of objects": f"select list({{'a': true}}) as x from range({MANY})",
    "list of lists": f"select list([(range % 7)::utinyint]) as x from range({MANY})",
    "map": f"select map_from_entries(list({{'k': range, 'v': true}})) as x from range({MANY})",
    "words by number": f"select list({ENUM}) as x from range({4 * MANY})",
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeSettings:
    return fill_with_numbers(lake_in(tmp_path_factory.mktemp("within")))


@pytest.fixture(scope="module")
def questions(lake: LakeSettings) -> Iterator[Questions]:
    with Questions(lake) as found:
        yield found


def as_parquet(**others: pa.Array) -> bytes:
    """Cells with further columns."""
    rows = len(next(iter(others.values())))
    table = pa.Table.from_pylist(people.cells(rows))
    for name, values in others.items():
        table = table.append_column(name, values)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def lists(values: pa.Array, rows: int = 8) -> pa.Array:
    """Values in so many lists."""
    each = len(values) // rows
    return pa.ListArray.from_arrays(pa.array([each * row for row in range(rows + 1)], pa.int32()), values)


def growth_mb(kind: str, lake: LakeSettings, what: str, ready: Path) -> tuple[int, str]:
    """By how much a page's process grows, and what it says."""
    ready.write_bytes(as_parquet(plot=pa.array(["a", "b"])))
    command = [sys.executable, "-c", GROWTH, kind, lake.uri, lake.catalog, what, str(ready)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    _, said, grown = done.stdout.splitlines()
    return int(grown), said


@pytest.mark.long
@pytest.mark.parametrize("what", QUESTIONS)
def test_an_answer_with_much_in_one_value_costs_its_own_process(
    lake: LakeSettings, tmp_path: Path, what: str
) -> None:
    grown, said = growth_mb("question", lake, QUESTIONS[what], tmp_path / "ready.parquet")
    assert said == "1" or "QueryTooLarge" in said
    assert grown < MOST_MB, said


UPLOADS: dict[str, Callable[[], pa.Array]] = {
    "list of objects": lambda: lists(pa.StructArray.from_arrays([pa.array([True] * MANY)], ["a"])),
    "list of lists": lambda: lists(lists(pa.array([1] * MANY, pa.int8()), MANY)),
    "map": lambda: pa.MapArray.from_arrays(
        pa.array([0, MANY], pa.int32()), pa.array(range(MANY)), pa.array([True] * MANY)
    ),
    "words by number": lambda: lists(pa.array(["first", "second"] * (2 * MANY)).dictionary_encode()),
}


@pytest.mark.long
@pytest.mark.parametrize("what", UPLOADS)
def test_a_file_with_much_in_one_value_costs_its_own_process(
    lake: LakeSettings, tmp_path: Path, what: str
) -> None:
    file = tmp_path / "a.parquet"
    file.write_bytes(as_parquet(x=UPLOADS[what]()))
    grown, said = growth_mb("upload", lake, str(file), tmp_path / "ready.parquet")
    assert said in ("1", "8") or "RowsUnreadable" in said
    assert grown < MOST_MB, said


def test_a_question_shows_what_is_within_a_value_as_duckdb_draws_it(lake: LakeSettings) -> None:
    found = ask_lake(
        lake,
        "select [1, null, 3] as list, [{'a': 'x', 'b': 1}] as objects, map {'k': 1.5} as map, [] as nothing, "
        "'a'::enum ('a', 'b') as word, ['a'::enum ('a', 'b')] as words, union_value(n := 3) as either, "
        "null::integer[] as missing, '101'::bit as bits, interval 3 day as lasting, 1 as number, "
        "1.5 as real, date '2026-01-02' as day",
    )
    assert found.frame.pop("missing").isna().all()
    (row,) = found.frame.astype(object).to_dict("records")
    assert {name: str(value) for name, value in row.items()} == {
        **{"list": "[1, NULL, 3]", "objects": "[{'a': x, 'b': 1}]", "map": "{k=1.5}", "nothing": "[]"},
        **{"word": "a", "words": "[a]", "either": "3", "bits": "101", "lasting": "3 days"},
        **{"number": "1", "real": "1.5", "day": "2026-01-02"},
    }


def test_two_columns_of_one_name_keep_their_values(lake: LakeSettings) -> None:
    frame = ask_lake(lake, "select 1 as x, ['b'] as x, 'c' as x").frame
    assert frame.astype(str).to_numpy().tolist() == [["1", "[b]", "c"]]


@pytest.mark.parametrize(
    "query", ["explain select 1", "describe gold.numbers", "show tables", "select 1 limit 0"]
)
def test_what_duckdb_says_of_itself_is_still_shown(lake: LakeSettings, query: str) -> None:
    assert len(ask_lake(lake, query).frame.columns) >= 1


def test_a_file_keeps_what_is_within_a_value_as_text() -> None:
    content = as_parquet(
        objects=pa.array([[{"a": "x", "b": 1}], None]),
        map=pa.array([[("k", 1.5)], []], pa.map_(pa.string(), pa.float64())),
        word=pa.array(["first", None]).dictionary_encode(),
        words=lists(pa.array(["first", "second"]).dictionary_encode(), 2),
        bytes=pa.array([[b"a"], []]),
        number=pa.array([1, 2]),
        plot=pa.array(["p", "q"]),
    )
    found = read_cells("a.parquet", content).frame.iloc[:, 12:].astype(object)
    assert found.iloc[0].to_dict() == {
        **{"objects": '[{"a": "x", "b": 1}]', "map": '[["k", 1.5]]', "word": "first", "words": '["first"]'},
        **{"bytes": "[\"b'a'\"]", "number": 1, "plot": "p"},
    }
    assert found.iloc[1][["objects", "word"]].isna().all()


def test_lines_of_json_keep_what_is_within_a_value_as_the_same_text() -> None:
    rows = people.with_column(people.cells(2), "objects", lambda place: [{"a": place}])
    content = people.as_lines(rows)
    assert len(content) < LINE_BYTES
    assert read_cells("a.jsonl", content).frame["objects"].tolist() == ['[{"a": 0}]', '[{"a": 1}]']


def test_what_is_within_a_value_is_counted_as_the_text_that_it_becomes() -> None:
    content = as_parquet(x=lists(pa.StructArray.from_arrays([pa.array([True] * 20_000)], ["a" * 100])))
    with pytest.raises(people.Refused, match="its values take more than 1 MB"):
        people.read(content, values=1_000_000)


def test_a_file_of_objects_of_python_is_counted_as_what_they_take() -> None:
    """A date has four bytes in Arrow, and is an object of over forty for pandas."""
    days = pa.array([1] * 20_000, pa.int32()).cast(pa.date32())
    many = {f"day_{number}": days for number in range(3)}
    assert people.read(as_parquet(**many), values=8_000_000).num_rows == 20_000
    with pytest.raises(people.Refused, match="its values take more than 4 MB"):
        people.read(as_parquet(**many), values=4_000_000)


def test_an_answer_of_many_small_values_is_counted_as_what_they_take(questions: Questions) -> None:
    """A truth has a bit in Arrow, and eight bytes or more for pandas."""
    columns = ", ".join(f"range > {number} as x{number}" for number in range(500))
    query = f"select {columns} from range(1000)"
    with pytest.raises(QueryTooLarge):
        questions.answer(newest(questions), query, Bounds(answer_bytes=4_000_000))
    assert questions.answer(newest(questions), query, Bounds(answer_bytes=8_000_000)).num_rows == 1000


def newest(questions: Questions) -> int:
    """The last published snapshot."""
    from lake.publish.pointer import latest

    published = latest(questions._lake)
    assert published
    return published.snapshot_id


@pytest.mark.parametrize(
    "values",
    [pa.array([[1]]), pa.array([{"a": 1}]), pa.array(["a"]).dictionary_encode(), pa.nulls(10_000_000)],
    ids=["list", "object", "words by number", "more values than bytes"],
)
def test_the_page_takes_nothing_but_flat_rows_from_the_process(values: pa.Array) -> None:
    """As from a process that was taken over: it says what it likes."""
    sink = pa.BufferOutputStream()
    table = pa.table({"x": values})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(QueryFailed, match="its answer cannot be read"):
        question._table("select 1", bytes(sink.getvalue()), Bounds())


@pytest.mark.parametrize(("form", "read"), [("parquet", "read_parquet"), ("json", "read_json")])
def test_a_persons_own_files_keep_what_is_within_a_value(
    questions: Questions, tmp_path: Path, form: Any, read: str
) -> None:
    file = tmp_path / f"answer.{form}"
    assert questions.write("select [{'a': 1}] as x, map {'k': 2} as m", file, form) == 1
    found = duckdb.sql(f"select x[1].a, m['k'] from {read}('{file}')").fetchone()
    assert found is not None
    assert [str(value) for value in found] == ["1", "2"]


def test_a_flat_type_is_one_that_has_none_within() -> None:
    within = [
        pa.list_(pa.int8()),
        pa.list_view(pa.int8()),
        pa.list_(pa.int8(), 2),
        pa.struct([("a", pa.int8())]),
    ]
    within += [pa.map_(pa.int8(), pa.int8()), pa.dictionary(pa.int8(), pa.string()), pa.string_view()]
    within += [pa.run_end_encoded(pa.int32(), pa.int8()), pa.uuid(), pa.month_day_nano_interval()]
    within += [pa.sparse_union([pa.field("a", pa.int8())])]
    assert not [kind for kind in within if is_flat(kind)]
    assert all(is_flat(kind) for kind in (pa.int8(), pa.string(), pa.date32(), pa.decimal128(3), pa.null()))
