"""The form of a landing's name."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.landing_id import LANDING_PATTERN, moment_in, moment_text, name_in, short_name

MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))


@given(MOMENTS, st.from_regex(r"[0-9a-f]{8,64}", fullmatch=True))
def test_a_name_holds_its_moment_and_a_key_its_name(at: datetime, digest: str) -> None:
    name = f"{moment_text(at)}-{digest}"
    assert moment_in(name) == at
    assert name_in(f"bronze/rows/covertype/group=01/date=2026-11-22/{name}.parquet") == name
    assert name_in(f"bronze/raw/covertype/{name}.json.zst") == name
    assert bool(re.fullmatch(LANDING_PATTERN, name)) == (len(digest) == 64)


@given(st.lists(MOMENTS, min_size=2, max_size=5))
def test_names_sort_by_time(moments: list[datetime]) -> None:
    assert sorted(map(moment_text, moments)) == [moment_text(at) for at in sorted(moments)]


def test_a_moment_elsewhere_is_written_in_utc() -> None:
    madrid = timezone(timedelta(hours=1))
    assert moment_text(datetime(2026, 11, 22, 13, 5, tzinfo=madrid)) == "20261122T120500000000Z"


@pytest.mark.parametrize("name", ["", "landing", "20261122T000000", "20261322T120500000000Z-0123abcd"])
def test_what_is_no_name_is_shown_as_it_is_and_has_no_moment(name: str) -> None:
    assert short_name(name) == name
    with pytest.raises(ValueError, match="time data"):
        moment_in(name)
