"""Each known form of the rows is recognised by name, and read where it is declared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.covertype import covertype
from source import response
from source.adapters import Adapter
from source.difference import Difference
from source.response import Batch, parse

ADAPTERS: tuple[Adapter, ...] = get_args(Adapter)
AREAS = ["Rawah", "Neota", "Commanche", "Cache"]
SOILS = list(covertype().column("soil_type").values)
NAMES = [column.source_name for column in covertype().columns]

ROW = ("2596", "51", "3", "258", "-6", "510", "221", "232", "148", "6279", "Rawah", "C7745", "6")
OTHER = (*ROW[:10], "Cache", "C2702", "0")

numbers = st.integers(-4000, 9000).map(str)
coded_rows = st.lists(
    st.tuples(
        *[numbers] * 10, st.sampled_from(AREAS), st.sampled_from(SOILS), st.integers(0, 6).map(str)
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=14) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=40,
)
adapters = st.sampled_from(ADAPTERS)


# The forms, built from coded rows without the adapters' own tables.
def from_one(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[*row[:12], str(int(row[12]) + 1)] for row in rows]


def as_numbers(rows: Sequence[Sequence[str]]) -> list[list[Any]]:
    return [[int(value) if value.lstrip("-").isdigit() else value for value in row] for row in rows]


def one_hot(rows: Sequence[Sequence[str]], kind: type = str) -> list[list[Any]]:
    return [
        [kind(value) for value in row[:10]]
        + [kind(int(row[10] == area)) for area in AREAS]
        + [kind(int(row[11] == soil)) for soil in SOILS]
        + [kind(int(row[12]) + 1)]
        for row in rows
    ]


def objects(rows: Sequence[Sequence[str]], kind: type = str) -> list[dict[str, Any]]:
    return [
        {
            name: value if name in ("Wilderness_Area", "Soil_Type") else kind(value)
            for name, value in reversed(list(zip(NAMES, row, strict=True)))
        }
        for row in rows
    ]


def body(data: Any, **changes: Any) -> bytes:
    return json.dumps({"group_number": 1, "batch_number": 3, "data": data} | changes).encode()


FORMS: dict[Adapter, Any] = {
    "none": lambda rows: [list(row) for row in rows],
    "numbers": as_numbers,
    "labels_from_one": from_one,
    "one_hot": one_hot,
    "objects": objects,
}


def difference(content: bytes, adapter: str) -> str:
    found = parse(content, 1, adapter)
    assert isinstance(found, Difference)
    return found.text


@given(coded_rows, adapters)
def test_a_response_in_the_declared_form_is_the_same_coded_rows(
    rows: list[tuple[str, ...]], adapter: Adapter
) -> None:
    shown_zero = [*rows, OTHER]
    assert parse(body(FORMS[adapter](shown_zero)), 1, adapter) == Batch(1, 3, shown_zero)


@given(coded_rows)
def test_numbers_may_come_as_integers_where_strings_are_not_promised(rows: list[tuple[str, ...]]) -> None:
    rows = [*rows, OTHER]
    assert parse(body(one_hot(rows, int)), 1, "one_hot") == Batch(1, 3, rows)
    assert parse(body(objects(rows, int)), 1, "objects") == Batch(1, 3, rows)


@pytest.mark.parametrize("sent", ADAPTERS)
@pytest.mark.parametrize("declared", ADAPTERS)
def test_another_form_than_the_declared_one_is_named_with_the_setting_that_reads_it(
    sent: Adapter, declared: Adapter
) -> None:
    parsed = parse(body(FORMS[sent]([ROW, OTHER][: 2 if sent == "none" else 1])), 1, declared)
    if sent == declared:
        assert isinstance(parsed, Batch)
    else:
        assert isinstance(parsed, Difference)
        assert f"Set SOURCE_ADAPTER={sent}, then `canopy lake replay` lands" in parsed.text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (one_hot([ROW]), "55 columns, UCI's one-hot form"),
        (from_one([ROW]), "13 coded columns with UCI's labels 1-7"),
        (as_numbers([ROW]), "13 coded columns with whole numbers of JSON"),
        (objects([ROW]), "the service with the `day` parameter"),
    ],
)
def test_each_form_is_called_by_its_name(data: Any, words: str) -> None:
    assert words in difference(body(data), "none")


@pytest.mark.parametrize("sent", ["bare", "without numbers", "with a day", "whole"])
def test_the_service_with_a_day_may_leave_everything_out_but_the_rows(sent: str) -> None:
    rows = objects([ROW, OTHER])
    bodies = {
        "bare": (rows, 0),
        "without numbers": ({"data": rows}, 0),
        "with a day": ({"data": rows, "day": "Wednesday", "batch_number": 4}, 4),
        "whole": ({"data": rows, "day": "Wednesday", "batch_number": 4, "group_number": 1}, 4),
    }
    content, batch = bodies[sent]
    assert parse(json.dumps(content).encode(), 1, "objects") == Batch(1, batch, [ROW, OTHER])


@pytest.mark.parametrize("sent", ["bare", "without numbers"])
def test_rows_as_objects_are_recognised_whatever_they_come_in(sent: str) -> None:
    rows = objects([ROW])
    content = rows if sent == "bare" else {"data": rows}
    assert "Set SOURCE_ADAPTER=objects" in difference(json.dumps(content).encode(), "none")


def changed(row: Sequence[Any], place: int, value: Any) -> list[Any]:
    return [*row[:place], value, *row[place + 1 :]]


UCI = one_hot([ROW])[0]
OBJECT = objects([ROW])[0]


@pytest.mark.parametrize(
    ("adapter", "data", "words"),
    [
        ("one_hot", [UCI, UCI[:54]], "row 1 has 54 columns, not 55"),
        ("one_hot", [UCI, "x"], "row 1 is a string, not a list of 55 values"),
        ("one_hot", [changed(UCI, 0, 2596.0)], "row 0, column 0 is a number (2596.0)"),
        ("one_hot", [changed(UCI, 0, True)], "row 0, column 0 is true or false"),
        ("one_hot", [UCI, changed(UCI, 10, "0")], "row 1: the 4 columns of Wilderness_Area have 0 ones"),
        ("one_hot", [changed(UCI, 11, "1")], "row 0: the 4 columns of Wilderness_Area have 2 ones"),
        ("one_hot", [changed(UCI, 14, "1")], "row 0: the 40 columns of Soil_Type have 2 ones"),
        ("one_hot", [changed(UCI, 14, "2")], "row 0: the 40 columns of Soil_Type hold '2'"),
        ("one_hot", [UCI, changed(UCI, 54, "0")], "row 1, Cover_Type is '0', and UCI's labels are 1-7"),
        ("one_hot", [changed(UCI, 54, 8)], "row 0, Cover_Type is '8', and UCI's labels are 1-7"),
        ("labels_from_one", [ROW, changed(ROW, 12, "8")], "row 1, Cover_Type is '8'"),
        ("labels_from_one", [changed(ROW, 12, "7"), OTHER], "row 1, Cover_Type is '0'"),
        ("labels_from_one", [changed(ROW, 12, "-3")], "row 0, Cover_Type is '-3'"),
        ("labels_from_one", [changed(ROW, 12, "0" * 5000 + "8")], "row 0, Cover_Type is '000"),
        ("labels_from_one", [changed(ROW, 0, 2596)], "row 0, Elevation is an integer (2596); every value"),
        ("numbers", [changed(as_numbers([ROW])[0], 0, 2596.5)], "row 0, Elevation is a number (2596.5)"),
        ("numbers", [changed(as_numbers([ROW])[0], 12, 7)], "no adapter reads both: subtract one"),
        ("objects", [OBJECT, {"Elevation": "1"}], "row 1 comes without 'Aspect', 'Slope'"),
        ("objects", [OBJECT | {"id": 3}], "row 0 comes with 'id'"),
        ("objects", [OBJECT, list(ROW)], "row 1 is a list, not an object"),
        ("objects", [OBJECT | {"Slope": None}], "row 0, Slope is null"),
        ("objects", [OBJECT | {"Slope": "\ud800"}], "row 0 has a string that is not Unicode text"),
        ("objects", [OBJECT | {"Cover_Type": "7"}], "subtract one at the source"),
        ("objects", [], "it has no rows"),
    ],
)
def test_what_does_not_fit_the_declared_form_is_named_by_its_row(
    adapter: Adapter, data: Any, words: str
) -> None:
    assert words in difference(body(data), adapter)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"rows": objects([ROW])}, "without 'data' and with 'rows'"),
        ({"data": objects([ROW]), "group_number": 2}, "`group_number` is 2, and group 1 was asked for"),
        ({"data": objects([ROW]), "batch_number": "1"}, "`batch_number` is '1'"),
        ({"data": "rows"}, "`data` is a string"),
        (3, "it is an integer, not a list of objects"),
        ([], "it has no rows"),
    ],
)
def test_what_does_not_fit_around_objects_is_named(content: Any, words: str) -> None:
    assert words in difference(json.dumps(content).encode(), "objects")


@pytest.mark.parametrize("label", ["x", "", " 3", "3.0", "3\n", "+3", "٣"])
def test_a_label_that_is_no_number_is_its_rows_matter(label: str) -> None:
    rows = [changed(ROW, 12, label), changed(ROW, 12, "7")]
    parsed = parse(body(rows), 1, "labels_from_one")
    assert parsed == Batch(1, 3, [(*ROW[:12], label), (*ROW[:12], "6")])


def test_a_label_is_recoded_in_every_spelling_that_silver_reads_as_a_number() -> None:
    assert parse(body([changed(ROW, 12, "007")]), 1, "labels_from_one") == Batch(1, 3, [ROW])


def test_a_bad_value_is_its_rows_matter_in_every_form() -> None:
    spoiled = (ROW[0], "", *ROW[2:])
    for adapter in ADAPTERS:
        parsed = parse(body(FORMS[adapter]([spoiled, OTHER])), 1, adapter)
        assert parsed == Batch(1, 3, [spoiled, OTHER])


def test_an_adapter_of_another_version_is_named() -> None:
    assert "the adapter 'xml', which is not known here" in difference(body([list(ROW)]), "xml")


@given(json_values, adapters)
def test_any_json_is_a_batch_or_a_difference(content: Any, adapter: Adapter) -> None:
    assert isinstance(parse(json.dumps(content).encode(), 1, adapter), Batch | Difference)


@given(json_values, json_values, json_values, adapters)
def test_any_content_of_the_envelope_is_a_batch_or_a_difference(
    group: Any, batch: Any, data: Any, adapter: Adapter
) -> None:
    content = {"group_number": group, "batch_number": batch, "data": data}
    assert isinstance(parse(json.dumps(content).encode(), 1, adapter), Batch | Difference)


@given(st.binary(), adapters)
def test_any_bytes_are_a_difference(content: bytes, adapter: Adapter) -> None:
    assert isinstance(parse(content, 1, adapter), Difference)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A response in one of the forms with a value replaced, a piece of its text replaced, or both."""
    content: Any = json.loads(body(FORMS[draw(adapters)](draw(coded_rows))))
    rows = content["data"]
    if draw(st.booleans()):
        rows[draw(st.integers(0, len(rows) - 1))] = draw(json_values)
    row = rows[draw(st.integers(0, len(rows) - 1))]
    if draw(st.booleans()) and isinstance(row, list | dict) and row:
        place = draw(st.sampled_from(sorted(row) if isinstance(row, dict) else range(len(row))))
        row[place] = draw(json_values | st.text(alphabet=st.characters(codec=None), max_size=3))
    if draw(st.booleans()):
        content[draw(st.sampled_from(["group_number", "batch_number", "data", "day", "x"]))] = draw(
            json_values
        )
    text = json.dumps(content).encode()
    begin, end = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    return text[:begin] + draw(st.binary(max_size=4)) + text[end:] if draw(st.booleans()) else text


@settings(max_examples=300)
@given(mutated(), adapters)
def test_a_spoiled_response_is_read_alike_at_once_and_step_by_step(content: bytes, adapter: Adapter) -> None:
    parsed = parse(content, 1, adapter)
    assert isinstance(parsed, Batch | Difference)
    at_once = response._read_at_once(content, 1)
    if at_once is not None:
        assert at_once == response._read_step_by_step(content, 1, "none")


SPELLINGS = [
    body([ROW]).replace(b'"3"', b'"\\u0033"').replace(b'"Rawah"', b'"R\\u0061wah\\n\\ud83c\\udf32"'),
    body([ROW]).replace(b'"data"', b'"d\\u0061ta"'),
    b'{"data": [["1"]], ' + body([ROW])[1:],
    b'{"group_number": 2, ' + body([ROW])[1:],
    body([ROW])[:-1] + b', "group_number": 2}',
    body([ROW], group_number=1.0),
    body([ROW], batch_number=True),
    body([ROW], batch_number=2**31),
    body([ROW]).replace(b'"batch_number": 3', b'"batch_number": -0'),
    body([ROW]).replace(b'"batch_number": 3', b'"batch_number": 3e0'),
    body([ROW]).replace(b'"batch_number": 3', b'"batch_number": NaN'),
    body([ROW]).replace(b'"batch_number": 3', b'"batch_number": ' + b"1" * 5000),
    body([ROW]).replace(b"Rawah", b"Ra\x01wah"),
    body([ROW]).replace(b"Rawah", b"Ra\x7fwah"),
    body([ROW]).replace(b"Rawah", b"Ra\xffwah"),
    body([ROW]).replace(b"Rawah", b"Ra\xed\xa0\x80wah"),
    body([ROW]).replace(b"Rawah", b"Ra\\ud800wah"),
    body([ROW]).replace(b"Rawah", b"Ra\\udc00\\ud800wah"),
    body([ROW]).replace(b"Rawah", "Raweh é 🌲\x00".replace("\x00", "\\u0000").encode()),
    b"\xef\xbb\xbf" + body([ROW]),
    b" \n\t" + body([ROW]) + b"\r\n ",
    body([ROW]) + b"\x00",
    body([ROW]) + b"{}",
    body([ROW]).replace(b"]]", b"],]"),
]


@pytest.mark.parametrize("content", SPELLINGS)
def test_every_spelling_of_json_is_read_alike_at_once_and_step_by_step(content: bytes) -> None:
    at_once = response._read_at_once(content, 1)
    assert at_once is None or at_once == response._read_step_by_step(content, 1, "none")
