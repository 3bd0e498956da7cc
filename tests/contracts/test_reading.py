"""A request is read strictly, and every value outside the contract is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.covertype import Column, covertype
from contracts.errors import OutsideContract
from contracts.prediction import example_row
from contracts.reading import LISTED_VIOLATIONS, RequestReader

CONTRACT = covertype()
READER = RequestReader(CONTRACT, row_limit=10)
ROW = example_row(CONTRACT)
INTEGERS = [column for column in CONTRACT.features if column.kind == "integer"]
ENUMERATIONS = [column for column in CONTRACT.features if column.kind == "string"]


def refused(document: Any) -> list[Any]:
    """The violations of a document."""
    with pytest.raises(OutsideContract) as caught:
        READER.read(document)
    json.dumps(caught.value.violations, allow_nan=False)  # they travel as JSON
    return list(caught.value.violations)


def test_a_row_inside_the_contract_comes_back_in_the_contracts_order() -> None:
    shuffled = dict(reversed(ROW.items()))
    (row,) = READER.read(shuffled)
    assert row == ROW
    assert list(row) == [column.name for column in CONTRACT.features]
    assert READER.read({"rows": [ROW, ROW]}) == [ROW, ROW]


@pytest.mark.parametrize("column", INTEGERS, ids=lambda column: column.name)
def test_bounds_are_inclusive_and_named_beyond(column: Column) -> None:
    assert column.minimum is not None
    assert column.maximum is not None
    for inside in (column.minimum, column.maximum):
        assert READER.read({**ROW, column.name: inside})
    for outside in (column.minimum - 1, column.maximum + 1, 10**30):
        (found,) = refused({**ROW, column.name: outside})
        assert (found["row"], found["field"], found["reason"]) == (1, column.name, "bounds")
        assert found["value"] in (outside, str(outside))
        assert found["allowed"] == f"integer from {column.minimum} to {column.maximum}"


@pytest.mark.parametrize("value", [3.0, 3.5, "3", True, None, [3], {"value": 3}, float("nan"), float("inf")])
def test_a_number_must_be_a_whole_json_number(value: object) -> None:
    (found,) = refused({**ROW, "slope_deg": value})
    assert (found["field"], found["reason"]) == ("slope_deg", "type")
    assert found["allowed"] == "integer from 0 to 90"


@pytest.mark.parametrize("column", ENUMERATIONS, ids=lambda column: column.name)
def test_an_enumeration_accepts_its_values_and_lists_them(column: Column) -> None:
    for value in column.values:
        assert READER.read({**ROW, column.name: value})
    for other in ("C7744", "rawah", "", 7, None):
        (found,) = refused({**ROW, column.name: other})
        assert (found["field"], found["value"], found["reason"]) == (column.name, other, "choice")
        assert all(value in found["allowed"] for value in column.values)


def test_missing_and_unknown_fields_are_named() -> None:
    without = {name: value for name, value in ROW.items() if name != "soil_type"}
    missing, unknown = refused({**without, "cover_type": 3})
    assert (missing["field"], missing["value"], missing["reason"]) == ("soil_type", None, "missing")
    assert (unknown["field"], unknown["value"], unknown["reason"]) == ("cover_type", 3, "unknown")


def test_all_violations_of_all_rows_are_listed_up_to_a_bound() -> None:
    rows = [ROW, {**ROW, "slope_deg": 91, "aspect_deg": -1}, {**ROW, "hillshade_9am": 256}]
    found = [(item["row"], item["field"]) for item in refused({"rows": rows})]
    assert found == [(2, "aspect_deg"), (2, "slope_deg"), (3, "hillshade_9am")]
    with pytest.raises(OutsideContract, match="120 values in all") as caught:
        READER.read({"rows": [{}] * 10})
    assert len(caught.value.violations) == LISTED_VIOLATIONS


@pytest.mark.parametrize("document", [None, 3, "row", [ROW], [], {"rows": ROW}, {"rows": None}])
def test_what_is_neither_a_row_nor_rows_is_refused(document: object) -> None:
    assert refused(document)[0]["reason"] == "type"


@pytest.mark.parametrize("count", [0, 11])
def test_the_number_of_rows_is_bounded(count: int) -> None:
    (found,) = refused({"rows": [ROW] * count})
    assert (found["value"], found["allowed"]) == (f"{count} rows", "list of 1 to 10 rows")


def test_a_field_beside_rows_is_unknown() -> None:
    (found,) = refused({"rows": [ROW], "model": "newest"})
    assert (found["row"], found["field"], found["reason"]) == (None, "model", "unknown")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(document=JSON | st.dictionaries(st.sampled_from([*ROW, "rows"]), JSON))
def test_no_json_value_gets_through_or_breaks_the_reader(document: Any) -> None:
    assert refused(document)
