"""An answer as CSV, in which no spreadsheet finds a formula, and in Parquet, where nothing is rounded."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from lake.read.query_result import MOST_DECIMAL
from tests.lake.answered import answer_in


def as_csv(query: str) -> list[list[str]]:
    """The answer's lines."""
    return list(csv.reader(io.StringIO(answer_in(query, "csv").decode())))


NAMES = ["=1+1", "@a", "+a", "-5", chr(27) + "[2J", "x\r\ny", 'a"b', "plain"]


@pytest.mark.parametrize("value", ["1", "'t'"], ids=["numbers alone", "texts"])
def test_names_that_a_pivot_takes_from_values_are_no_formulas(value: str) -> None:
    listed = ", ".join(f"('{name}')" for name in NAMES)
    header, row = as_csv(
        f"pivot (select name, {value} as v from (values {listed}) t (name)) on name using any_value(v)"
    )
    assert set(header) == {"'=1+1", "'@a", "'+a", "-5", r"\x1b[2J", r"x\r\ny", 'a"b', "plain"}
    assert row == [value.strip("'")] * len(NAMES)


def test_two_columns_of_one_name_keep_their_values() -> None:
    _, row = as_csv("select 'a' as x, '=1' as x, 3 as \"=b\", 4 as \"'=b\"")
    assert row == ["a", "'=1", "3", "4"]


def test_what_a_spreadsheet_with_decimal_commas_takes_for_a_cell_is_no_formula() -> None:
    _, row = as_csv("""select 'a;=1' as x, 'a; "=1;b' as y, 'a;b=1' as z""")
    assert row == ["a;'=1", "a;' \"=1;b", "a;b=1"]


BIG = 12345678901234567890123
WHOLE = {
    "a number": (f"{BIG}::hugeint", BIG),
    "one without a sign": (f"{BIG}::uhugeint", BIG),
    "a sum": ("(select sum(n) from (values (9007199254740993), (2)) t (n))", 9007199254740995),
    "the largest": (f"{MOST_DECIMAL}::hugeint", MOST_DECIMAL),
    "the smallest": (f"(-{MOST_DECIMAL})::hugeint", -MOST_DECIMAL),
    "none": ("null::hugeint", None),
    "a list": (f"[{BIG}::hugeint, 1]", [BIG, 1]),
    "an array": (f"[{BIG}, 1]::hugeint[2]", [BIG, 1]),
    "an object": (f"{{'a b': {BIG}::hugeint, 'c': ['x']}}", {"a b": BIG, "c": ["x"]}),
    "a map": (f"map {{'k': {BIG}::hugeint}}", [("k", BIG)]),
    "a row": (f"row({BIG}::hugeint, 'x')", {"element_1": BIG, "element_2": "x"}),
    "an interval": ("interval '3 ms'", None),
}


@pytest.mark.parametrize("what", WHOLE)
def test_a_whole_number_of_128_bits_is_not_rounded_in_parquet(what: str) -> None:
    value, wanted = WHOLE[what]
    written = answer_in(f"select {value} as x, 2 as x, 'y' as \"it's\"", "parquet")
    found = pq.read_table(io.BytesIO(written))
    assert found.num_rows == 1
    assert found.column(0).to_pylist() == [wanted] or what == "an interval"
    assert found.column_names[2] == "it's"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (
            f"{MOST_DECIMAL + 1}::hugeint",
            f"the column it's has {MOST_DECIMAL + 1}, which Parquet cannot hold",
        ),
        (f"{MOST_DECIMAL + 1}::uhugeint", "cast it to varchar, or take CSV"),
        ("interval '1 us'", "the column it's has 00:00:00.000001, which Parquet cannot hold"),
        (f"[{MOST_DECIMAL + 1}::hugeint]", f"{MOST_DECIMAL + 1}"),
    ],
)
def test_what_parquet_cannot_hold_is_refused_by_name(value: str, says: str) -> None:
    with pytest.raises(duckdb.Error, match=says):
        answer_in(f'select {value} as "it\'s"', "parquet")


def test_csv_and_json_have_every_digit() -> None:
    query = f"select {2**127 - 1}::hugeint as x, [{BIG}::hugeint] as y"
    assert as_csv(query) == [["x", "y"], [str(2**127 - 1), f"[{BIG}]"]]
    found: list[dict[str, Any]] = json.loads(answer_in(query, "json"))
    assert found == [{"x": 2**127 - 1, "y": [BIG]}]
