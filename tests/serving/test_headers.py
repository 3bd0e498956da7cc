"""What a browser is told with every answer of the service, and what the page of the API loads."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from lake.settings import LakeSettings
from tests.serving.services import client_of, settings_in

STRICT = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
NOTHING = "default-src 'none'; frame-ancestors 'none'"
PAGE = "/docs"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A service without a model."""
    folder = tmp_path_factory.mktemp("headers")
    return client_of(settings_in(folder), LakeSettings(uri=str(folder / "lake")))


def routes(client: TestClient) -> Iterator[tuple[str, str]]:
    """Every path with every method that the application knows, and one that it does not."""
    for route in client.app.router.routes:  # type: ignore[attr-defined]
        assert isinstance(route, Route), "what is mounted is to be looked at too"
        yield from ((method, route.path) for method in sorted(route.methods or ()))
        yield "DELETE", route.path
    yield "GET", "/nothing-is-here"


def test_every_answer_tells_a_browser_what_it_may_do(client: TestClient) -> None:
    asked = list(routes(client))
    assert ("GET", PAGE) in asked
    for method, path in asked:
        headers = client.request(method, path).headers
        assert {name: headers.get(name) for name in STRICT} == STRICT, (method, path)
        policy = headers.get_list("content-security-policy")
        assert len(policy) == 1, (method, path)
        if path == PAGE:
            assert policy[0].startswith("default-src 'none'; ")
            assert "'unsafe-" not in policy[0]
            assert "frame-ancestors 'none'" in policy[0]
        else:
            assert policy == [NOTHING], (method, path)


def test_the_page_loads_exactly_what_its_policy_allows(client: TestClient) -> None:
    answer = client.get(PAGE)
    loaded = re.findall(r'(?:src|href)="(https?:[^"]+)" integrity="sha384-[A-Za-z0-9+/]{64}"', answer.text)
    assert len(loaded) == 2
    assert sorted(loaded) == sorted(re.findall(r"https?://[^\s\";]+", answer.text))
    assert sorted(loaded) == sorted(
        re.findall(r"https?://[^\s;]+", answer.headers["content-security-policy"])
    )
    assert all(re.search(r"@\d+\.\d+\.\d+/", address) for address in loaded), "one release"


def test_there_is_no_other_page(client: TestClient) -> None:
    for path in ("/redoc", "/docs/oauth2-redirect"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/predictions"), ("GET", "/v1/model")])
def test_an_answer_to_what_nobody_expected_tells_it_too(
    client: TestClient, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("not foreseen")

    monkeypatch.setattr("serving.http.predictions.content_type", fail)
    monkeypatch.setattr(
        "serving.auth.api_key_auth.ApiKeyAuth.authenticate", fail if method == "GET" else _admit_all
    )
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:canopy:problem:internal")
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert {name: answer.headers.get(name) for name in STRICT} == STRICT
    assert answer.headers.get_list("content-security-policy") == [NOTHING]


async def _admit_all(*_: object) -> None:
    """Lets everybody in."""
