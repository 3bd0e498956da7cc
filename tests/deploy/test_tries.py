"""Limits of tries: as a layer of its own, and where MLflow and Airflow have it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from contracts.hosts import Application, Receive, Scope, Send
from deploy.access import tries
from deploy.access.tries import TRIES, TryLimit

RIGHT, WRONG = {"Authorization": "right"}, {"Authorization": "wrong"}
FROM = {"X-Forwarded-For": "192.0.2.1"}


async def part(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers 401 to whoever does not sign in rightly, as MLflow and Airflow do."""
    is_right = (b"authorization", b"right") in scope["headers"]
    await send({"type": "http.response.start", "status": 200 if is_right else 401, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def limited() -> Application:
    """Returns the layer alone."""
    return TryLimit(part)


def mlflow() -> Application:
    """Returns the layers that are in front of MLflow."""
    from deploy.servers.mlflow_server import guarded

    application: Application = guarded()
    return application


def airflow() -> Application:
    """Returns the layers that Airflow takes from its folder of plugins."""
    from deploy.servers.airflow_plugins.canopy_hosts import CanopyHosts

    application = Starlette()
    application.mount("/", part)
    for layer in CanopyHosts.fastapi_root_middlewares:
        application.add_middleware(layer["middleware"], *layer["args"], **layer["kwargs"])
    return application


Ask = Callable[..., int]


@pytest.fixture(params=[limited, mlflow, airflow])
def ask(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Returns what asks a part for a status."""
    monkeypatch.setitem(sys.modules, "mlflow.server.auth", SimpleNamespace(create_app=lambda: part))
    client = TestClient(request.param(), base_url="http://127.0.0.1")

    def status(method: str = "GET", **headers: str) -> int:
        return client.request(method, "/some/page", headers=headers).status_code

    return status


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_eleventh_wrong_try_through_the_proxy_is_not_looked_at_and_no_other_address_suffers(
    ask: Ask, method: str
) -> None:
    assert TRIES == 10
    assert [ask(method, **WRONG, **FROM) for _ in range(TRIES + 2)] == [401] * TRIES + [429] * 2
    assert ask(**RIGHT, **FROM) == 429
    for other in ("192.0.2.2", "192.0.2.1, 192.0.2.3"):  # the last one is whom the proxy has seen
        assert ask(**RIGHT, **{"X-Forwarded-For": other}) == 200
    assert ask(**RIGHT, **{"X-Forwarded-For": "192.0.2.3, 192.0.2.1"}) == 429


def test_a_part_that_asks_directly_is_not_shut_out(ask: Ask) -> None:
    assert [ask(**WRONG) for _ in range(TRIES + 2)] == [401] * (TRIES + 2)
    assert ask(**RIGHT) == 200


def test_what_carries_no_secret_and_what_is_right_are_no_tries(ask: Ask) -> None:
    assert {ask(**FROM) for _ in range(TRIES + 2)} == {401}
    assert {ask(**RIGHT, **FROM) for _ in range(TRIES + 2)} == {200}


def test_it_ends_after_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "WINDOW_S", 1)
    counted = tries.Tries()
    for _ in range(TRIES):
        counted.refused("192.0.2.1")
    assert counted.are_spent("192.0.2.1")
    time.sleep(1.2)
    assert not counted.are_spent("192.0.2.1")
