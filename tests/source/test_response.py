"""A response is a batch, or a difference that says exactly what does not fit."""

from __future__ import annotations

import json
import time
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.covertype import covertype
from source.difference import Difference
from source.response import Batch, parse

ROW = ("2596", "51", "3", "258", "-6", "510", "221", "232", "148", "6279", "Rawah", "C7745", "1")
OTHER = (*ROW[:12], "0")


def body(data: Any = None, **changes: Any) -> bytes:
    """A response as the service writes it, with changes."""
    content = {"group_number": 1, "batch_number": 3, "data": [ROW, OTHER] if data is None else data}
    return json.dumps(content | changes).encode()


def difference(response: bytes) -> str:
    """The text of a response that must not fit."""
    found = parse(response, 1)
    assert isinstance(found, Difference)
    return found.text


def test_what_the_service_sends_is_a_batch() -> None:
    assert parse(body(), 1) == Batch(1, 3, [ROW, OTHER])


@pytest.mark.parametrize("value", ["", "110", "C7744", "2596.5", "nan", " 3 ", "-1", "é"])
def test_a_single_bad_value_does_not_refuse_the_response(value: str) -> None:
    rows = [(*ROW[:2], value, *ROW[3:]), OTHER]
    assert parse(body(rows), 1) == Batch(1, 3, rows)


def test_a_header_row_among_the_rows_is_a_row() -> None:
    names = tuple(column.source_name for column in covertype().columns)
    assert parse(body([names, ROW]), 1) == Batch(1, 3, [names, ROW])


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (b"", "it is empty"),
        (b"<html>Bad gateway</html>", "it is not JSON"),
        (b"\xff\xfe\x00", "not UTF-8 text, at byte 0"),
        (body()[:-1], "cut short"),
        (body()[:40], "cut short"),
        (body()[: body().index(b"Rawah") + 3], "cut short"),
        (b"[" * 100_000, "JSON that cannot be read"),
        (b"1" * 5000, "JSON that cannot be read"),
        (b"null", "it is null, not an object"),
        (json.dumps([ROW]).encode(), "bare list of 1 items"),
        (b'{"group_number": 1, "data": []}', "without 'batch_number'"),
        (body(day="Tuesday"), "with 'day'"),
        (body({"0": ROW}), "`data` is an object"),
        (body([]), "it has no rows"),
        (body(group_number=2), "`group_number` is 2, and group 1 was asked for"),
        (body(group_number="1"), "`group_number` is '1'"),
        (body(group_number=True), "`group_number` is True"),
        (body(batch_number=None), "`batch_number` is None"),
        (body(batch_number=-1), "`batch_number` is -1"),
        (body(batch_number=10**100), "a very large integer"),
        (body([ROW, {"Elevation": "2596"}]), "row 1 is an object, not a list of 13 values"),
        (body([ROW, "2596,51"]), "row 1 is a string"),
        (body([ROW, ROW[:12]]), "row 1 has 12 columns, not 13"),
        (body([ROW, [2596, *ROW[1:]]]), "row 1, Elevation is an integer (2596)"),
        (body([[*ROW[:4], None, *ROW[5:]]]), "row 0, Vertical_Distance_To_Hydrology is null"),
        (body([[*ROW[:12], 1.0]]), "row 0, Cover_Type is a number (1.0)"),
        (body([[*ROW[:10], "\ud800", *ROW[11:]]]), "not Unicode text"),
        (body(OTHER), "row 0 is a string"),
    ],
)
def test_what_does_not_fit_is_named(response: bytes, words: str) -> None:
    assert words in difference(response)


def test_a_seven_beside_a_zero_is_one_bad_label_and_not_another_coding() -> None:
    assert isinstance(parse(body([OTHER, [*ROW[:12], "7"]]), 1), Batch)


def test_a_difference_stays_short_whatever_was_sent() -> None:
    assert len(difference(body(group_number="x" * 10_000))) < 200
    assert len(difference(json.dumps({"k" * 5000 + str(i): 1 for i in range(99)}).encode())) < 900


@given(st.lists(st.tuples(*[st.text()] * 13), min_size=1, max_size=5))
def test_any_text_in_the_cells_lands_as_it_was_written(rows: list[tuple[str, ...]]) -> None:
    parsed = parse(body(rows), 1)
    labels = {row[12] for row in rows}
    assert parsed == Batch(1, 3, rows) or ("7" in labels and "0" not in labels)


@given(st.integers(min_value=0, max_value=len(body()) - 1))
def test_a_response_cut_anywhere_is_refused(length: int) -> None:
    assert isinstance(parse(body()[:length], 1), Difference)


def test_a_full_response_is_read_in_some_milliseconds(rows: pa.Table) -> None:
    full = [list(row.values()) for row in rows.to_pylist()]
    response = body((full * 2)[:5_810])
    durations = []
    for _ in range(5):
        began = time.perf_counter()
        assert isinstance(parse(response, 1), Batch)
        durations.append(time.perf_counter() - began)
    # 7 ms of processor time; the bound leaves room for a busy one.
    assert min(durations) < 0.1
