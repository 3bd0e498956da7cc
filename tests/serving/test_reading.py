"""Strict JSON: the fast way and the explaining way give the same answer, and hostile bodies get a 4xx."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from contracts.errors import OutsideContract
from contracts.prediction import example_row
from contracts.reading import RequestReader
from serving.http.reading import BodyReader, strict_json
from tests.serving.onnx_models import CONTRACT
from tests.serving.test_refusals import client

ROW = example_row(CONTRACT)
TEXT = json.dumps(ROW)
NAMES = list(ROW)
FAST, SLOW = BodyReader(CONTRACT, 5), RequestReader(CONTRACT, 5)

__all__ = ["client"]

values = st.one_of(
    st.integers(-(10**6), 10**6),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.sampled_from(["Rawah", "C7745", "3", "", "rawah"]),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
)
rows = st.builds(
    lambda changed, dropped: {
        name: value for name, value in {**ROW, **changed}.items() if name not in dropped
    },
    st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=3)), values, max_size=3),
    st.sets(st.sampled_from(NAMES), max_size=1),
)
documents = st.one_of(
    rows,
    st.builds(lambda listed: {"rows": listed}, st.lists(rows, max_size=6)),
    st.builds(lambda listed, more: {"rows": listed, **more}, st.lists(rows, max_size=2), rows),
    values,
)


def outcome(read: Any, body: bytes) -> Any:
    """What comes of a body: rows, or what is wrong with it."""
    try:
        return [tuple(row) for row in read(body)]
    except OutsideContract as error:
        return error.violations
    except HTTPException as error:
        return error.status_code, error.detail


def explained(body: bytes) -> Any:
    """The rows by the contract's own reader alone."""
    return [row.values() for row in SLOW.read(strict_json(body))]


@given(documents)
def test_both_ways_give_one_answer(document: Any) -> None:
    body = json.dumps(document).encode()
    assert outcome(FAST.read, body) == outcome(explained, body)


@given(st.integers(0, len(TEXT)), st.integers(0, len(TEXT)), st.binary(max_size=3))
def test_both_ways_give_one_answer_to_what_was_cut_and_mended(start: int, end: int, between: bytes) -> None:
    body = TEXT[:start].encode() + between + TEXT[end:].encode()
    assert outcome(FAST.read, body) == outcome(explained, body)


def changed(name: str, value: str) -> bytes:
    """The example with one value in other letters."""
    return TEXT.replace(f'"{name}": {json.dumps(ROW[name])}', f'"{name}": {value}').encode()


TWICE = TEXT.replace("{", '{"slope_deg": 3, ', 1)
HOSTILE = {
    "NaN": (changed("slope_deg", "NaN"), 400),
    "infinity": (changed("slope_deg", "-Infinity"), 400),
    "a name twice": (TWICE.encode(), 400),
    "a name twice in a list": (f'{{"rows": [{TEXT}, {TWICE}]}}'.encode(), 400),
    "rows twice": (f'{{"rows": [{TEXT}], "rows": [{TEXT}]}}'.encode(), 400),
    "a name twice in other letters": (TEXT.replace("{", '{"slope\\u005fdeg": 3, ', 1).encode(), 400),
    "a huge number": (changed("slope_deg", "9" * 4000), 422),
    "a number without end": (changed("slope_deg", "9" * 4000 + "9" * 80_000), 400),
    "a huge exponent": (changed("slope_deg", "1e999999"), 422),
    "deep lists": (b"[" * 70_000, 400),
    "deep lists that end": (b"[" * 2_000 + b"]" * 2_000, 400),
    "lists a little too deep": (changed("slope_deg", "[" * 64 + "]" * 64), 400),
    "lists that are not": (changed("slope_deg", '"' + r"[{\"" * 500 + '"'), 422),
    "deep lists after a string that does not end": (b'"' + rb"\"" * 200_000 + b"[" * 2_000, 400),
    "deep objects": (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, 400),
    "half a surrogate pair": (changed("soil_type", '"\\ud800"'), 422),
    "a surrogate as a name": (TEXT.replace("{", '{"\\udfff": 3, ', 1).encode(), 422),
    "no text": (b"\xff\xfe{}", 400),
    "UTF-16": (TEXT.encode("utf-16"), 400),
    "a zero byte": (TEXT.encode() + b"\x00", 400),
    "a float": (changed("slope_deg", "3.0"), 422),
    "a number as text": (changed("slope_deg", '"3"'), 422),
    "true": (changed("slope_deg", "true"), 422),
    "null": (b"null", 422),
    "a list of rows": (f"[{TEXT}]".encode(), 422),
    "rows as an object": (b'{"rows": {}}', 422),
    "a name of another's": (TEXT.replace("{", '{"__class__": "x", ', 1).encode(), 422),
    "two documents": (TEXT.encode() * 2, 400),
    "a comment": (b"/* */" + TEXT.encode(), 400),
    "nothing": (b"", 400),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_body_gets_the_right_4xx(client: TestClient, kind: str) -> None:
    body, status = HOSTILE[kind]
    client.app.state.champion.require = lambda: pytest.fail("it was taken for a row")  # type: ignore[attr-defined]
    limit = client.app.state.log._settings.body_limit_bytes  # type: ignore[attr-defined]
    status = 413 if len(body) > limit else status
    reply = client.post("/v1/predictions", content=body, headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.json()["detail"]


MANY = 60_000
ENDLESS = {
    "names": json.dumps({f"n{number}": 1 for number in range(MANY)}).encode(),
    "lists within each other": b"[" * MANY,
    "numbers": json.dumps([1] * MANY).encode(),
    "strings": b'"' * MANY,
    "rows of other names": json.dumps({"rows": [{f"n{n}": n for n in range(MANY // 5)}] * 5}).encode(),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_body_of_endless_pieces_is_not_read_piece_by_piece(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While that goes on, nobody else is answered."""
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("it was read whole"))
    says = "more names and values than 5 rows of 12 features. Send at most so many rows"
    with pytest.raises(HTTPException, match=says) as refused:
        FAST.read(ENDLESS[kind])
    assert refused.value.status_code == 413


@pytest.mark.parametrize("row", [{}, ROW, {**ROW, "slope_deg": "3"}])
@pytest.mark.parametrize("count", [6, 70_000])
def test_too_many_rows_are_told_so_however_many(row: dict[str, Any], count: int) -> None:
    body = json.dumps({"rows": [row] * count}).encode()
    with pytest.raises(OutsideContract) as refused:
        FAST.read(body)
    (violation,) = refused.value.violations
    assert (violation["value"], violation["allowed"]) == (f"{count} rows", "list of 1 to 5 rows")
    assert outcome(explained, body) == refused.value.violations


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (changed("slope_deg", "9" * 4400), "a number of it has 4,400 digits."),
        (changed("slope_deg", "-" + "9" * 4400), "a number of it has 4,400 digits."),
        (TEXT.encode("utf-16"), "its text is UTF-16. Send it as UTF-8."),
        (TEXT.encode("utf-16-le"), "its text is UTF-16. Send it as UTF-8."),
        (TEXT.encode("utf-16-be"), "its text is UTF-16. Send it as UTF-8."),
        (TEXT.encode("utf-32"), "its text is UTF-32. Send it as UTF-8."),
        (changed("soil_type", '"ñ"').decode().encode("latin-1"), "as Latin-1 or Windows-1252 has it"),
    ],
)
def test_a_body_that_is_not_json_is_told_so_in_words_of_its_sender(body: bytes, says: str) -> None:
    with pytest.raises(HTTPException) as refused:
        FAST.read(body)
    assert refused.value.status_code == 400
    assert refused.value.detail.startswith("The body is not JSON: ")
    assert says in refused.value.detail
    assert "sys." not in refused.value.detail
    assert "codec" not in refused.value.detail
