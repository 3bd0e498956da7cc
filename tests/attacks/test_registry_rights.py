"""Who only reads in MLflow changes nothing, however they say who they are; some of it answers nobody."""

from __future__ import annotations

import base64
import json
import sys
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from contracts.hosts import Receive, Scope, Send
from deploy.access.tries import TRIES
from deploy.servers.mlflow_server import MOST_BYTES, READERS, guarded

MAKE = "/api/2.0/mlflow/experiments/create"
V3 = "/ajax-api/3.0/mlflow"
REFUSED = (401, 403)


async def mlflow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers whatever comes through with what it was sent."""
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message.get("body", b"")})


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Asks through the layers that are in front of MLflow."""
    monkeypatch.setitem(sys.modules, "mlflow.server.auth", SimpleNamespace(create_app=lambda: mlflow))
    return TestClient(guarded(), base_url="http://127.0.0.1")


def encoded(user: str) -> bytes:
    return base64.b64encode(f"{user}:password".encode())


@pytest.mark.parametrize("user", READERS)
def test_a_reader_is_known_however_the_sign_in_is_written(client: TestClient, user: str) -> None:
    """MLflow's native pages split at any blank and leave out what is not base64; its others do not."""
    name = encoded(user)
    for value in (
        *(b"Basic " + name, b"basic " + name, b"BASIC  " + name, b"Basic\t" + name, b"Basic\xa0" + name),
        *(b"Basic \t" + name, b"Basic\x85" + name, b"Basic -" + name, b"Basic " + name[:4] + b"-" + name[4:]),
        *(b"Bearer " + name, b"Basic " + base64.b64encode(f"{user}:\xff".encode("latin-1"))),
    ):
        for path in (MAKE, f"{V3}/review-queues/get-or-create-user", "/v1/traces"):
            assert client.post(path, headers=[(b"authorization", value)]).status_code in REFUSED, (
                value,
                path,
            )
    for twice in ([b"Basic " + encoded("training"), b"Basic " + name], [b"Basic !", b"Basic " + name]):
        answer = client.post(MAKE, headers=[(b"authorization", value) for value in twice])
        assert answer.status_code in REFUSED, twice


@pytest.mark.parametrize("user", READERS)
def test_a_path_of_a_file_that_ends_like_a_search_is_none(client: TestClient, user: str) -> None:
    for name in ("search", "graphql", "search-datasets"):
        for prefix in ("/api/2.0", "/ajax-api/2.0"):
            path = f"{prefix}/mlflow-artifacts/mpu/create/1/run/artifacts/{name}"
            assert client.post(path, auth=(user, "password")).status_code == 403, path


def test_who_may_write_does_and_everybody_reads(client: TestClient) -> None:
    for user in ("admin", "training"):
        answer = client.post(MAKE, auth=(user, "password"), json={"name": "x"})
        assert (answer.status_code, answer.json()) == (200, {"name": "x"})
    for user in (*READERS, "admin"):
        for search in ("runs/search", "registered-models/get-latest-versions", "experiments/search-datasets"):
            assert client.post(f"/api/2.0/mlflow/{search}", auth=(user, "password")).status_code == 200
        assert client.post("/graphql", auth=(user, "password")).status_code == 200
        answer = client.get("/graphql", auth=(user, "password"))
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert client.get("/api/2.0/mlflow/runs/get", auth=(user, "password")).status_code == 200
    assert client.post(MAKE, json={"name": "x"}).status_code == 200  # MLflow itself asks who that is


@pytest.mark.parametrize(
    "path",
    [
        *(f"{V3}/assistant/{name}" for name in ("message", "config", "sessions/1/stream", "providers")),
        *(f"/api/3.0/mlflow/{name}" for name in ("gateway/secrets/create", "mcp-servers", "mcp-servers/a/b")),
        *("/gateway/x/mlflow/invocations", "/gateway/proxy/x/search", "/ajax-api/2.0/mlflow/gateway-proxy"),
        f"{V3}/%61ssistant/config",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_what_runs_programs_and_asks_any_address_answers_nobody(
    client: TestClient, path: str, method: str
) -> None:
    """The assistant asks a model at an address out of its settings, and runs the commands it answers with."""
    for user in ("admin", "training", "reader"):
        assert client.request(method, path, auth=(user, "password")).status_code == 403, user


PLACED = {"name": "x", "artifact_location": "file:///etc"}


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(PLACED).encode(),
        json.dumps(PLACED).encode("utf-16"),
        json.dumps(json.dumps(PLACED)).encode(),
        b'{"name": "x", "artifactLocation": "file:///etc"}',
        rb'{"name": "x", "artifact\u005flocation": "file:///etc"}',
        b'{"name": "x", "tags": [{"key": "a", "value": "' + b"a" * MOST_BYTES + b'"}]}',
        b"[" * 200_000,
        b"[]",
        b"",
    ],
)
@pytest.mark.parametrize("user", ["admin", "training"])
def test_nobody_says_where_an_experiment_s_files_lie(client: TestClient, user: str, body: bytes) -> None:
    """MLflow writes wherever that is, with its own rights."""
    for path in (MAKE, MAKE.replace("/api/", "/ajax-api/")):
        assert client.post(path, content=body, auth=(user, "password")).status_code == 403


def test_no_other_header_signs_in_where_tries_are_not_counted(client: TestClient) -> None:
    """MLflow's gateway takes a sign-in from `X-MLflow-Authorization` too."""
    headers = {"X-MLflow-Authorization": "Basic !", "X-Forwarded-For": "192.0.2.1"}
    for _ in range(TRIES + 2):
        assert client.get("/gateway/mlflow/v1/models", headers=headers).status_code == 403
