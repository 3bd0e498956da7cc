"""Files as people have them, through the service: read, or refused with row, column, value and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tabular.formats import ARROW, CSV, JSON_LINES, PARQUET
from tests.serving.onnx_models import answers, random_rows
from tests.serving.test_batch import PATH, as_table, ask
from tests.serving.test_refusals import problem
from tests.tabular.people import as_csv, as_lines, as_parquet, changed, packed, with_column

ROWS = random_rows(30, seed=22)
WHOLE = {
    "a content type that says its letters": ("text/csv; charset=utf-8", as_csv(ROWS).encode()),
    "in other case and between blanks": ("Text/CSV ;charset=UTF-8 ; header=present", as_csv(ROWS).encode()),
    "semicolons and decimal commas": (
        CSV,
        as_csv(ROWS, ";", text=lambda value: f"{value},0" if isinstance(value, int) else value).encode(
            "utf-16"
        ),
    ),
    "packed": (CSV, packed(as_csv(ROWS).encode())),
    "tabs under their own content type": ("text/tab-separated-values", as_csv(ROWS, "\t").encode()),
    "an index and other columns": (
        CSV,
        as_csv(with_column(with_column(ROWS, "", int, is_first=True), "Cover_Type", int)).encode(),
    ),
    "floats in Parquet": (
        PARQUET,
        as_parquet([{**row, "slope_deg": float(row["slope_deg"])} for row in ROWS]),
    ),
    "a document of JSON": (JSON_LINES, b"\xef\xbb\xbf[" + as_lines(ROWS).strip().replace(b"\n", b",") + b"]"),
}


@pytest.mark.parametrize("what", WHOLE)
def test_a_persons_file_is_answered_as_the_same_rows_are(
    service: TestClient, models: dict[str, Path], what: str
) -> None:
    kind, content = WHOLE[what]
    reply = ask(service, content, kind, CSV)
    assert reply.status_code == 200, reply.text
    assert as_table(reply.content, CSV)["cover_type"].to_pylist() == answers(str(models["plain"]), ROWS)


def test_rows_are_counted_from_one_in_answers_and_refusals(service: TestClient) -> None:
    one = service.post("/v1/predictions", json={"rows": changed(ROWS, 8, slope_deg=110)})
    file = ask(service, as_csv(changed(ROWS, 8, slope_deg=110)).encode(), CSV)
    for reply in (one, file):
        body = problem(reply, 422, "outside-contract")
        assert [error["row"] for error in body["errors"]] == [8]
        assert "in row 8, slope_deg=110; allowed is integer from 0 to 90" in body["detail"]
    good = ask(service, as_csv(ROWS).encode(), CSV)
    assert as_table(good.content, CSV)["row"].to_pylist() == list(range(1, 31))


def test_what_cannot_be_read_says_what_it_is_and_what_to_do(service: TestClient) -> None:
    latin = as_csv(changed(ROWS, 3, soil_type="Año")).encode("latin-1")
    body = problem(ask(service, latin, CSV), 400, "not-readable")
    assert "line 4 of it has text that is not UTF-8" in body["detail"]
    assert body["detail"].endswith("Save it as UTF-8.")
    body = problem(ask(service, as_parquet(ROWS), CSV), 400, "not-readable")
    assert f"it is Parquet. Nothing was predicted. Send it with Content-Type: {PARQUET}." in body["detail"]
    body = problem(ask(service, b"PK\x03\x04" + bytes(99), ARROW), 400, "not-readable")
    assert "it is a workbook" in body["detail"]
    body = problem(ask(service, as_csv(ROWS, " ").encode(), CSV), 400, "not-readable")
    assert "has no comma, semicolon, tab or |" in body["detail"]
    ambiguous = as_csv(changed(ROWS, 2, elevation_m="3.072"), ";").encode()
    body = problem(ask(service, ambiguous, CSV), 422, "outside-contract")
    assert "may be 3072 or 3.072" in body["errors"][0]["allowed"]


def test_a_body_that_is_packed_may_say_so(service: TestClient) -> None:
    content, headers = packed(as_csv(ROWS).encode()), {"Content-Type": CSV, "Content-Encoding": "gzip"}
    assert service.post(PATH, content=content, headers=headers).status_code == 200
    reply = service.post(PATH, content=content, headers=headers | {"Content-Encoding": "br"})
    assert "encoding 'br' is not read. Send gzip" in problem(reply, 415, "not-readable")["detail"]


def test_json_may_begin_with_a_mark_and_says_where_it_may_not_be_packed(service: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    body = b"\xef\xbb\xbf" + as_lines(ROWS[:1])
    assert service.post("/v1/predictions", content=body, headers=headers).status_code == 200
    reply = service.post("/v1/predictions", content=packed(body), headers=headers)
    assert "it is packed by gzip. Send it unpacked" in problem(reply, 400, "not-readable")["detail"]


def test_a_probe_may_ask_without_a_body(service: TestClient) -> None:
    for path in ("/live", "/ready"):
        reply = service.head(path)
        assert (reply.status_code, reply.content) == (200, b"")
