"""What a query may be, and in which forms its answer comes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from contracts.errors import QueryFailed, QueryWrites
from lake.read.query import run_query
from lake.read.query_result import DRAWN_ROWS, Format
from lake.read.question import Questions
from lake.settings import LakeSettings
from tests.lake.landed import lake_in
from tests.lake.published import fill_with_numbers

NUMBERS = "select number, number * 2 as twice from gold.numbers order by number; -- all"
WANTED = [{"number": number, "twice": 2 * number} for number in range(5)]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeSettings:
    return fill_with_numbers(lake_in(tmp_path_factory.mktemp("asked")))


@pytest.fixture(scope="module")
def questions(lake: LakeSettings) -> Iterator[Questions]:
    with Questions(lake) as found:
        yield found


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("from gold.numbers where number > 3", [(4,)]),
        ("set variable least = 3; from gold.numbers where number > getvariable('least')", [(4,)]),
        ("set timezone = 'America/Denver'", []),
        ("pivot gold.numbers on number % 2 using count(*)", [(3, 2)]),
        ("describe gold.numbers", None),
        ("pragma version", None),
        ("explain analyze from gold.numbers", None),
    ],
)
def test_every_statement_that_reads_is_answered(
    lake: LakeSettings, questions: Questions, query: str, rows: list[tuple[object, ...]] | None
) -> None:
    answered = run_query(query, lake=lake).rows
    assert answered == rows if rows is not None else answered
    for form in ("csv", "json", "parquet"):
        assert bool(streamed(questions, query, form)) == bool(answered)
    assert bool(questions.draw(query, 80).text) == bool(answered)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("delete from gold.numbers", "of the kind DELETE"),
        ("select 1; create table gold.more (a integer)", "of the kind CREATE"),
        ("explain analyze delete from gold.numbers", "of the kind EXPLAIN DELETE"),
        ("call lake.merge_adjacent_files()", "of the kind CALL"),
        ("prepare p as copy gold.numbers to 'numbers.csv'", "of the kind PREPARE"),
        ("explain analyze copy gold.numbers to 'numbers.csv'", "of the kind EXPLAIN COPY"),
        ("pivot gold.numbers on number; copy gold.numbers to 'numbers.csv'", "of the kind COPY"),
        ("copy gold.numbers to 'numbers.csv'", "of the kind COPY"),
        ("attach 'other.duckdb'", "of the kind ATTACH"),
    ],
)
def test_a_query_that_writes_is_refused_before_it_does(lake: LakeSettings, query: str, says: str) -> None:
    with pytest.raises(QueryWrites, match=says):
        run_query(query, lake=lake)
    assert not Path("numbers.csv").exists()
    assert len(run_query("from gold.numbers", lake=lake).rows) == 5


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("from gold.nowhere", "Table with name nowhere does not exist"),
        ("selec 1", "syntax error"),
        (" ; -- nothing", "no statement"),
        ("select 1\0; drop table gold.numbers", r"it holds '\\x00', which is no text"),
        ("select '\udcff'", r"it holds '\\udcff', which is no text"),
        ("select number / 'x' from gold.numbers", "Could not convert"),
    ],
)
@pytest.mark.parametrize("form", [None, "csv"])
def test_a_broken_query_is_named_with_the_reason(
    lake: LakeSettings, questions: Questions, query: str, says: str, form: Format | None
) -> None:
    with pytest.raises(QueryFailed, match=says):
        run_query(query, lake=lake) if form is None else streamed(questions, query, form)


def test_an_answer_goes_into_a_file_or_a_stream_alike(questions: Questions, tmp_path: Path) -> None:
    for form, read in READERS.items():
        file = tmp_path / f"it's.{form}"
        assert questions.write(NUMBERS, file, form) == 5
        assert read(file.read_bytes()) == read(streamed(questions, NUMBERS, form)) == WANTED


def test_rows_keep_their_order_on_the_way(lake: LakeSettings, questions: Questions) -> None:
    body = streamed(questions, "select i from range(1_000_000) rows(i) order by hash(i)", "csv")
    numbers = [int(line) for line in body.splitlines()[1:]]
    assert numbers[:9] == [
        i
        for (i,) in run_query(
            "select i from range(1_000_000) rows(i) order by hash(i) limit 9", lake=lake
        ).rows
    ]
    assert len(set(numbers)) == 1_000_000


def test_json_is_read_by_those_who_know_no_nan(questions: Questions) -> None:
    odd = """select 1.5::double as a, 'nan'::double as "b""c", '-inf'::float as d, [1, null] as e"""
    strict = json.loads(
        streamed(questions, odd, "json"), parse_constant=lambda constant: pytest.fail(constant)
    )
    assert strict == [{"a": 1.5, 'b"c': None, "d": None, "e": [1, None]}]
    assert json.loads(streamed(questions, "from gold.numbers where false", "json")) == []


def test_a_sink_that_closes_ends_the_query(questions: Questions) -> None:
    class Closed(io.BytesIO):
        def write(self, data: object) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        questions.stream("from range(1_000_000_000_000)", Closed(), "csv")


def test_a_drawing_fits_the_terminal_and_says_what_it_leaves_out(questions: Questions) -> None:
    wide = (
        "select " + ", ".join(f"{number} as column_{number}" for number in range(30)) + " from gold.numbers"
    )
    many = f"from range({DRAWN_ROWS + 1})"
    assert "30 columns (" in (text := questions.draw(wide, 80).text)
    assert max(map(len, text.splitlines())) <= 80
    text = questions.draw(f"{wide} limit 1", 80).text
    assert all(f" column_{number} " in text for number in range(30))
    drawing = questions.draw(wide, None)
    assert all(f" column_{number} " in drawing.text for number in range(30))
    assert not drawing.is_cut
    assert "40 shown" in questions.draw(many, 80).text
    assert questions.draw(many, None).is_cut


def streamed(questions: Questions, query: str, form: Format) -> bytes:
    """All that a stream brings."""
    sink = io.BytesIO()
    questions.stream(query, sink, form)
    return sink.getvalue()


READERS = {
    "csv": lambda body: pyarrow.csv.read_csv(io.BytesIO(body)).to_pylist(),
    "json": json.loads,
    "parquet": lambda body: pq.read_table(io.BytesIO(body)).to_pylist(),
}
