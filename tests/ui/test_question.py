"""The box for a query: read-only, within its limits, and nothing but the lake."""

from pathlib import Path

import pytest

from contracts.errors import QueryFailed, QueryTooLong, QueryWrites
from lake.settings import LakeSettings
from tests.ui.small_lake import ROWS
from ui.question import ROW_LIMIT, ask_lake


def test_a_query_is_answered_at_the_pointer(lake: LakeSettings) -> None:
    found = ask_lake(lake, "select count(*) as rows from gold.training_set")
    assert found.frame.to_dict("records") == [{"rows": ROWS}]
    assert not found.is_cut


def test_a_sum_of_integers_is_a_number_that_a_chart_draws(lake: LakeSettings) -> None:
    found = ask_lake(lake, "select split, sum(slope_deg) as slopes from gold.training_set group by split")
    assert list(found.frame.select_dtypes("number").columns) == ["slopes"]


def test_more_rows_than_the_limit_are_cut_and_said_to_be(lake: LakeSettings) -> None:
    found = ask_lake(lake, "from gold.training_set")
    assert (len(found.frame), found.is_cut) == (ROW_LIMIT, True)


def test_a_query_that_takes_too_long_is_stopped(lake: LakeSettings) -> None:
    with pytest.raises(QueryTooLong, match=r"after 0\.3 s"):
        ask_lake(lake, "select count(*) from range(1000000000) a, range(1000) b", seconds=0.3)


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
        "set enable_external_access = true",
        "set memory_limit = '100GB'",
    ],
)
def test_no_other_file_is_read_and_no_limit_is_lifted(lake: LakeSettings, query: str) -> None:
    with pytest.raises(QueryFailed, match=r"(?i)permission|cannot|locked"):
        ask_lake(lake, query)


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
