"""Every error is a problem that says what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from contracts.prediction import example_row
from lake.settings import LakeSettings
from tabular.formats import CSV
from tests.serving.onnx_models import CONTRACT
from tests.serving.registry import free_port
from tests.serving.services import client_of, settings_in

ROW = example_row(CONTRACT)


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """A service that is not started: it refuses without a model and without a registry."""
    url = f"http://127.0.0.1:{free_port()}"
    settings = settings_in(tmp_path, mlflow_url=url, row_limit=5, body_limit_bytes=4096)
    return client_of(settings, LakeSettings(uri=str(tmp_path / "lake")))


def problem(reply: Any, status: int, kind: str) -> dict[str, Any]:
    """The problem of a reply, after a look at its form."""
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = reply.json()
    assert body["type"] == f"urn:canopy:problem:{kind}"
    assert body["status"] == status
    assert body["request_id"] == reply.headers["x-request-id"]
    assert "Traceback" not in reply.text
    return body


def test_a_value_outside_the_contract_is_named_with_what_is_allowed(client: TestClient) -> None:
    reply = client.post("/v1/predictions", json={"rows": [ROW, {**ROW, "slope_deg": 110}]})
    body = problem(reply, 422, "outside-contract")
    assert body["errors"] == [
        {
            "row": 2,
            "field": "slope_deg",
            "value": 110,
            "allowed": "integer from 0 to 90",
            "reason": "bounds",
        }
    ]
    assert "slope_deg=110" in body["detail"]


def test_more_rows_than_the_limit_are_refused(client: TestClient) -> None:
    body = problem(client.post("/v1/predictions", json={"rows": [ROW] * 6}), 422, "outside-contract")
    assert body["errors"][0]["value"] == "6 rows"
    assert body["errors"][0]["allowed"] == "list of 1 to 5 rows"


def test_a_body_over_the_limit_is_refused_however_it_is_sent(client: TestClient) -> None:
    long = json.dumps({"rows": [ROW] * 30}).encode()
    headers = {"Content-Type": "application/json"}
    problem(client.post("/v1/predictions", content=long, headers=headers), 413, "too-large")
    chunks = iter([long[:3000], long[3000:]])
    problem(client.post("/v1/predictions", content=chunks, headers=headers), 413, "too-large")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"a": NaN}', b'{"a": -Infinity}', b"[" * 3000, b'{"a": 1} {"a": 2}'],
)
def test_what_is_not_json_is_refused(client: TestClient, body: bytes) -> None:
    reply = client.post("/v1/predictions", content=body, headers={"Content-Type": "application/json"})
    assert "not JSON" in problem(reply, 400, "not-readable")["detail"]


@pytest.mark.parametrize(
    "kind",
    [
        *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/octet-stream"),
        *("text/plain", "text/csv", "", "json", "application/jsonp"),
    ],
)
@pytest.mark.parametrize(
    ("path", "wanted"), [("/v1/predictions", "application/json"), ("/v1/predictions:batch", CSV)]
)
def test_other_content_types_are_refused_with_the_right_one(
    client: TestClient, path: str, wanted: str, kind: str
) -> None:
    if kind == wanted:
        return
    reply = client.post(path, content=json.dumps(ROW).encode(), headers={"Content-Type": kind})
    assert wanted in problem(reply, 415, "not-readable")["detail"]


def test_unknown_paths_and_methods_are_problems_too(client: TestClient) -> None:
    problem(client.get("/v2/predictions"), 404, "not-found")
    reply = client.get("/v1/predictions")
    problem(reply, 405, "method-not-allowed")
    assert reply.headers["allow"] == "POST"


def test_without_a_model_predictions_say_how_to_get_one(client: TestClient) -> None:
    reply = client.post("/v1/predictions", json=ROW)
    assert "canopy train" in problem(reply, 503, "no-model")["detail"]
    assert reply.headers["retry-after"] == "5"
    problem(client.get("/ready"), 503, "no-model")
    problem(client.get("/v1/model"), 503, "no-model")
    assert client.get("/live").status_code == 200


def test_a_failure_inside_shows_no_trace(client: TestClient) -> None:
    client.app.state.champion.require = lambda: 1 // 0  # type: ignore[attr-defined]
    reply = client.post("/v1/predictions", json=ROW)
    body = problem(reply, 500, "internal")
    assert "ZeroDivision" not in reply.text
    assert "log" in body["detail"]
