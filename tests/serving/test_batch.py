"""Files in, files out: every kind, in order, refused as a whole, and equal to what JSON gets."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from serving.settings import ServingSettings
from tabular.formats import ARROW, CSV, JSON_LINES, PARQUET
from tests.serving.conftest import OpenService
from tests.serving.onnx_models import CONTRACT, answers, random_rows
from tests.serving.registry import TestRegistry
from tests.serving.test_refusals import problem

KINDS = (CSV, JSON_LINES, PARQUET, ARROW)
ROWS = random_rows(300, seed=21)
PATH = "/v1/predictions:batch"


def as_file(rows: list[dict[str, Any]] | pa.Table, kind: str) -> bytes:
    """Rows as a file of a kind."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    sink = io.BytesIO()
    if kind == CSV:
        pa_csv.write_csv(table, sink)
    elif kind == PARQUET:
        pq.write_table(table, sink, row_group_size=100)
    elif kind == ARROW:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=70)
    else:
        return "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()
    return sink.getvalue()


def as_table(content: bytes, kind: str) -> pa.Table:
    """An answer as a table."""
    if kind == CSV:
        return pa_csv.read_csv(io.BytesIO(content))
    if kind == PARQUET:
        return pq.read_table(io.BytesIO(content))
    if kind == ARROW:
        return pa.ipc.open_stream(content).read_all()
    return pa.Table.from_pylist([json.loads(line) for line in content.splitlines()])


def ask(client: TestClient, content: bytes, kind: str, accept: str = "*/*") -> Any:
    """Sends a file."""
    return client.post(PATH, content=content, headers={"Content-Type": kind, "Accept": accept})


def test_every_kind_is_taken_and_given_and_equals_what_json_gets(
    service: TestClient, models: dict[str, Path], settings: ServingSettings
) -> None:
    expected = answers(str(models["plain"]), ROWS)
    json_answer = service.post("/v1/predictions", json={"rows": ROWS}).json()["predictions"]
    for kind in KINDS:
        reply = ask(service, as_file(ROWS, kind), kind)
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-type"].startswith(kind)
        assert (reply.headers["x-model-version"], reply.headers["x-snapshot-id"]) == ("1", "7")
        found = as_table(reply.content, kind)
        assert found["row"].to_pylist() == list(range(1, 301))
        assert found["cover_type"].to_pylist() == expected
        assert found["cover_type_name"].to_pylist() == [CONTRACT.class_names[label] for label in expected]
        wanted = [one["probabilities"]["Spruce/Fir"] for one in json_answer]
        assert found["probability_spruce_fir"].to_pylist() == pytest.approx(wanted, abs=1e-6)
    # The kind of the answer is the asker's to choose.
    for accept in KINDS:
        reply = ask(service, as_file(ROWS, PARQUET), PARQUET, f"text/html, {accept};q=0.9")
        assert as_table(reply.content, accept)["cover_type"].to_pylist() == expected


def test_columns_may_come_in_another_order_and_narrower(service: TestClient, models: dict[str, Path]) -> None:
    table = pa.Table.from_pylist(ROWS).select(list(reversed(ROWS[0])))
    words = pa.dictionary(pa.int8(), pa.string())
    narrow = [pa.int32() if pa.types.is_integer(item.type) else words for item in table.schema]
    table = table.cast(pa.schema(list(zip(table.column_names, narrow, strict=True))))
    for kind in (PARQUET, ARROW):
        reply = ask(service, as_file(table, kind), kind)
        assert as_table(reply.content, kind)["cover_type"].to_pylist() == answers(str(models["plain"]), ROWS)


@pytest.mark.parametrize("kind", KINDS)
def test_one_bad_value_refuses_the_whole_file_and_is_named(service: TestClient, kind: str) -> None:
    rows = [dict(row) for row in ROWS]
    rows[250]["slope_deg"], rows[7]["soil_type"], rows[290]["aspect_deg"] = 110, "C7744", None
    body = problem(ask(service, as_file(rows, kind), kind), 422, "outside-contract")
    found = [(error["row"], error["field"], error["value"], error["reason"]) for error in body["errors"]]
    assert found == [
        (8, "soil_type", "C7744", "choice"),
        (251, "slope_deg", 110, "bounds"),
        (291, "aspect_deg", None, "missing"),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_are_missing_are_named_and_others_left_aside(service: TestClient, kind: str) -> None:
    whole = pa.Table.from_pylist(ROWS).append_column("cover_type", [[1] * 300])
    assert ask(service, as_file(whole, kind), kind).status_code == 200
    body = problem(
        ask(service, as_file(whole.drop_columns(["slope_deg"]), kind), kind), 422, "outside-contract"
    )
    assert {(error["field"], error["reason"]) for error in body["errors"]} == {("slope_deg", "missing")}
    # A name that a JSON line lacks is missing in that row: the file has no columns of its own.
    assert {error["row"] for error in body["errors"]} == (
        set(range(1, 101)) if kind == JSON_LINES else {None}
    )


def test_a_column_of_another_type_is_refused(service: TestClient) -> None:
    table = pa.Table.from_pylist(ROWS)
    truths = table.set_column(2, "slope_deg", pa.array([True] * 300))
    errors = problem(ask(service, as_file(truths, PARQUET), PARQUET), 422, "outside-contract")["errors"]
    (error,) = errors
    assert (error["field"], error["value"], error["reason"]) == ("slope_deg", "bool", "type")
    text = as_file(ROWS, CSV).decode().replace(f"\n{ROWS[0]['elevation_m']},", "\n3.5,", 1)
    (error,) = problem(ask(service, text.encode(), CSV), 422, "outside-contract")["errors"]
    assert (error["row"], error["value"], error["reason"]) == (1, "3.5", "type")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_such_file_is_refused(service: TestClient, kind: str) -> None:
    whole = as_file(ROWS, kind)
    for body in (b"\x00\xff" * 500, whole[: len(whole) // 2] + b"\x00" * 40):
        reply = ask(service, body, kind)
        assert reply.status_code in (400, 422), reply.text
        assert reply.headers["content-type"] == "application/problem+json"
    assert ask(service, b"", kind).status_code in (400, 422)


def test_kinds_that_are_not_known_are_refused_with_those_that_are(service: TestClient) -> None:
    assert PARQUET in problem(ask(service, b"x", "application/zip"), 415, "not-readable")["detail"]
    assert CSV in problem(ask(service, b"x", CSV, "image/png"), 406, "not-acceptable")["detail"]


def test_limits_hold_and_say_so(
    open_service: OpenService,
    registry: TestRegistry,
    settings: ServingSettings,
    models: dict[str, Path],
) -> None:
    registry.promote(settings.model_name, registry.register(settings.model_name, models["plain"]))
    narrow = settings.model_copy(update={"batch_row_limit": 299, "batch_body_limit_bytes": 40_000})
    client = open_service(narrow)
    body = problem(ask(client, as_file(ROWS, PARQUET), PARQUET), 422, "outside-contract")
    assert body["errors"][0]["value"] == "more than 299 rows"
    problem(ask(client, as_file(ROWS * 3, CSV), CSV), 413, "too-large")
