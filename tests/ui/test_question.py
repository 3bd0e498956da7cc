"""The box for a query: read-only, within its limits, and nothing but the lake."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contracts.errors import (
    QueriesBusy,
    QueryFailed,
    QueryRefused,
    QueryTooLarge,
    QueryTooLong,
    QueryWrites,
)
from lake.settings import LakeSettings
from tests.ui.small_lake import ROWS
from ui.reading.exact import shown_frame
from ui.reading.question import ROW_LIMIT, ask_lake
from ui.settings import UiSettings
from ui.views.download import csv_of_frame


def test_a_query_is_answered_at_the_pointer(lake: LakeSettings) -> None:
    found = ask_lake(lake, "select count(*) as rows from gold.training_set")
    assert found.frame.to_dict("records") == [{"rows": ROWS}]
    assert not found.is_cut


def test_a_sum_of_integers_is_a_number_that_a_chart_draws(lake: LakeSettings) -> None:
    found = ask_lake(lake, "select split, sum(slope_deg) as slopes from gold.training_set group by split")
    assert list(found.frame.select_dtypes("number").columns) == ["slopes"]


STRANGE = {
    "infinity": ("'infinity'::timestamp", "infinity"),
    "infinity in a zone": ("'-infinity'::timestamptz", "-infinity"),
    "infinity in nanoseconds": ("'infinity'::timestamp_ns", "infinity"),
    "infinity as a date": ("'infinity'::date", "infinity"),
    "midnight at the end": ("'24:00:00'::time", "24:00:00"),
    "a far date": ("'12345-06-07'::date", "12345-06-07"),
    "a far time": ("'12345-06-07 08:00:00'::timestamp", "12345-06-07 08:00:00"),
    "before Christ": ("'0044-03-15 (BC)'::date", "0044-03-15 (BC)"),
    "a huge number": (f"{2**127 - 1}::hugeint", str(2**127 - 1)),
    "a huge number without a sign": (f"{2**128 - 1}::uhugeint", str(2**128 - 1)),
}


@pytest.mark.parametrize("what", STRANGE)
def test_a_value_that_pandas_does_not_have_is_its_text(lake: LakeSettings, what: str) -> None:
    value, wanted = STRANGE[what]
    frame = ask_lake(lake, f"select {value} as x, 1 as x union all select null, 2 order by 2").frame
    assert frame.iloc[0, 0] == wanted
    assert frame.iloc[:, 1].tolist() == [1, 2]
    assert frame.iloc[:, 0].isna().tolist() == [False, True]


def test_values_of_every_type_are_shown_and_taken_along(lake: LakeSettings) -> None:
    frame = ask_lake(lake, "select * from test_all_types()").frame
    lines = csv_of_frame(frame).decode().splitlines()
    assert frame.to_parquet()
    assert str(2**127 - 1) in lines[2]
    assert str(2**128 - 1) in lines[2]


def test_ordinary_times_stay_times(lake: LakeSettings) -> None:
    frame = ask_lake(lake, "select '2026-11-23 14:30'::timestamp as a, '9999-12-31'::timestamptz as b").frame
    assert [kind.kind for kind in frame.dtypes] == ["M", "M"]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ("(9007199254740993), (null), (7)", ["9007199254740993", '""', "7"]),
        ("(18446744073709551615::ubigint), (null)", ["18446744073709551615", '""']),
        (f"({10**30}::hugeint), (1)", [str(10**30), "1"]),
        ("(12345678901234567890.123::decimal(30, 3))", ["12345678901234567890.123"]),
        ("(1.5::decimal(4, 1))", ["1.5"]),
    ],
)
def test_no_number_loses_a_digit(lake: LakeSettings, values: str, wanted: list[str]) -> None:
    frame = ask_lake(lake, f"from (values {values}) t (x)").frame
    assert csv_of_frame(frame).decode().splitlines()[1:] == wanted
    shown = shown_frame(frame).iloc[:, 0]
    assert list(map(str, shown.dropna())) == [value for value in wanted if value != '""']


def test_more_rows_than_the_limit_are_cut_and_said_to_be(lake: LakeSettings) -> None:
    found = ask_lake(lake, "from gold.training_set")
    assert (len(found.frame), found.is_cut) == (ROW_LIMIT, True)


def test_a_query_that_takes_too_long_is_stopped(lake: LakeSettings) -> None:
    with pytest.raises(QueryTooLong, match=r"after 0\.3 s"):
        ask_lake(
            lake,
            "select count(*) from range(1000000000) a, range(1000) b",
            UiSettings(question_timeout_s=0.3),
        )


@pytest.mark.parametrize(
    "query", ["delete from gold.training_set", "create table x as select 1", "copy (select 1) to 'x.csv'"]
)
def test_what_would_change_something_is_refused(lake: LakeSettings, query: str) -> None:
    with pytest.raises(QueryWrites):
        ask_lake(lake, query)


@pytest.mark.parametrize(
    "query",
    [
        "from read_csv('/etc/passwd')",
        "from glob('/etc/*')",
        "from '/etc/passwd'",
        "set enable_external_access = true",
        "set memory_limit = '100GB'",
    ],
)
def test_no_other_file_is_read_and_no_limit_is_lifted(lake: LakeSettings, query: str) -> None:
    with pytest.raises((QueryRefused, QueryWrites, QueryFailed), match=r"refused|does not exist"):
        ask_lake(lake, query)


def test_no_more_questions_run_than_may_and_the_next_one_is_told(lake: LakeSettings) -> None:
    one = UiSettings(questions_at_once=1, question_timeout_s=3)
    few = one.model_copy(update={"question_timeout_s": 0.1})
    slow = "select count(*) from range(1000000000) a, range(1000) b"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(ask_lake, lake, slow, one)
        time.sleep(0.5)
        with pytest.raises(QueriesBusy, match="1 queries are running"):
            ask_lake(lake, "select 1", few)
        with pytest.raises(QueryTooLong):
            running.result()
    assert len(ask_lake(lake, "select 1", one).frame) == 1


def test_an_answer_that_is_too_large_is_not_taken(lake: LakeSettings) -> None:
    with pytest.raises(QueryTooLarge, match="more than 1 MB"):
        ask_lake(lake, "select repeat('x', 100000) from range(100)", UiSettings(question_answer_mb=1))


def test_several_statements_are_refused_since_only_the_last_would_be_timed(lake: LakeSettings) -> None:
    with pytest.raises(QueryFailed, match="2 statements"):
        ask_lake(lake, "select 1; select 2")


def test_a_pivot_is_one_statement(lake: LakeSettings) -> None:
    found = ask_lake(lake, "pivot gold.training_set on split using count(*) group by cover_type")
    assert {"cover_type", "train", "test"} == set(found.frame.columns)


def test_a_mistake_is_told_in_duckdbs_words_without_what_was_put_in_front(lake: LakeSettings) -> None:
    with pytest.raises(QueryFailed, match="selec") as raised:
        ask_lake(lake, "selec 1")
    assert "allowed_directories" not in str(raised.value)


def test_a_path_with_a_quote_is_no_way_out(tmp_path: Path) -> None:
    odd = LakeSettings(uri=str(tmp_path / "a'b"), catalog=f"sqlite:{tmp_path}/catalog.sqlite")
    with pytest.raises(Exception, match="canopy collect"):
        ask_lake(odd, "select 1")
