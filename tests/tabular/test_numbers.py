"""A text is a number where it can mean nothing else."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular.numbers import readings, whole

NUMBERS = st.integers(min_value=-(10**9), max_value=10**9)
SMALL = st.integers(min_value=1000, max_value=10**9)


def grouped(number: int, mark: str) -> str:
    return f"{number:,}".replace(",", mark)


@given(
    NUMBERS,
    st.sampled_from(["", ".", ".0", ",0", ".00", ",00", ".0000", ",0000"]),
    st.sampled_from(["", " ", "\t"]),
)
def test_a_fraction_of_zeros_and_blanks_lose_nothing(number: int, fraction: str, blank: str) -> None:
    assert whole(f"{blank}{number}{fraction}{blank}") == number


@given(NUMBERS, st.sampled_from([".", ","]), st.text("0123456789", min_size=1, max_size=9))
def test_a_fraction_that_is_something_is_no_whole_number(number: int, mark: str, fraction: str) -> None:
    text = f"{number}{mark}{fraction}"
    expected = number if not fraction.strip("0") and not readings(text) else None
    assert whole(text) == expected


@given(SMALL, st.sampled_from([",.", ".,"]), st.sampled_from(["", "0", "00"]))
def test_marks_of_two_kinds_say_what_each_is(number: int, marks: str, zeros: str) -> None:
    assert whole(grouped(number, marks[0]) + marks[1] + zeros) == number


@given(
    st.integers(min_value=1, max_value=999), st.integers(min_value=0, max_value=999), st.sampled_from(",.")
)
def test_one_mark_before_three_digits_may_be_two_numbers(head: int, tail: int, mark: str) -> None:
    text = f"{head}{mark}{tail:03}"
    assert whole(text) is None
    assert readings(text) == (f"{head}{tail:03}", f"{head}.{tail:03}")


@given(st.integers(min_value=10**6, max_value=10**12), st.sampled_from(",."))
def test_two_marks_of_one_kind_are_thousands(number: int, mark: str) -> None:
    assert whole(grouped(number, mark)) == number


@given(st.text("0123456789+-.,eE ", max_size=14))
def test_a_number_is_what_the_text_is_by_the_point_or_by_the_comma(text: str) -> None:
    found = whole(text)
    by_point, by_comma = text.replace(",", ""), text.replace(".", "").replace(",", ".")
    if found is not None:
        assert found in [_decimal(by_point), _decimal(by_comma), _decimal(text.replace(",", "."))]
        assert readings(text) is None


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        return None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e+05", 100_000),
        ("2.596e3", 2596),
        ("1,5E3", 1500),
        ("+5", 5),
        ("-0.000", 0),
        ("007", 7),
        ("5e-1", None),
    ],
)
def test_powers_signs_and_zeros(text: str, number: int | None) -> None:
    assert whole(text) == number
    if number is not None and "," not in text:
        assert Decimal(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NA",
        "nan",
        "inf",
        "0x10",
        "1 234",
        "1'234",
        "12,34,567",
        "1.23,456",
        "1,23.0",
        ".5",
        "5%",
        "٣",
        "1e999999",
        "9" * 99,
        "--5",
        "1.2.3",
        "1,,0",
        "0,123.0",
        "2596 m",
        "true",
        "1_000",
    ],
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert whole(text) is None
    assert readings(text) is None
