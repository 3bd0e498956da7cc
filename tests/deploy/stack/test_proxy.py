"""TLS and one sign-in in front of the pages, with the profile `proxy`."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.deploy.stack.running import CELL, Running
from tests.ui.browser import PATIENCE_MS, chromium
from ui.language import texts_of

AUTHORITY = "/data/caddy/pki/authorities/local/root.crt"
PORT = os.environ.get("CANOPY_PROXY_PORT", "8443")
PAGES = ("localhost", "docs.localhost")


class Door:
    """A client that trusts the proxy's own authority, and nobody else."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, host: str, path: str = "/", *, method: str = "GET", **arguments: Any) -> httpx.Response:
        """What is answered to whoever knows the proxy by this name."""
        arguments["headers"] = {"Host": host} | arguments.get("headers", {})
        url = f"https://127.0.0.1:{PORT}{path}"
        return self._client.request(method, url, extensions={"sni_hostname": host}, **arguments)


@pytest.fixture(scope="module")
def door(running: Running) -> Iterator[Door]:
    """The proxy, beside the stack."""
    running.compose.run("up", "--detach", "--wait", "proxy", profiles=("proxy",))
    authority = running.compose.run("exec", "-T", "proxy", "cat", AUTHORITY, profiles=("proxy",))
    with httpx.Client(verify=ssl.create_default_context(cadata=authority), timeout=120) as client:
        yield Door(client)
    running.compose.run("rm", "--force", "--stop", "proxy", "door", profiles=("proxy",))


@pytest.mark.parametrize("host", PAGES)
def test_a_page_is_shown_to_who_has_signed_in_only(running: Running, door: Door, host: str) -> None:
    signed_in = ("canopy", running.passwords["proxy"]["canopy"])
    assert door.ask(host).status_code == 401
    assert door.ask(host, auth=("canopy", "wrong")).status_code == 401
    answer = door.ask(host, auth=signed_in)
    assert answer.status_code == 200
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_who_does_not_trust_its_authority_is_told(running: Running, door: Door) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://localhost:{PORT}", timeout=30)


def test_airflow_mlflow_and_the_service_ask_for_their_own_keys(running: Running, door: Door) -> None:
    signed_in = ("canopy", running.passwords["proxy"]["canopy"])
    assert door.ask("airflow.localhost", "/api/v2/dags").status_code == 401
    assert door.ask("mlflow.localhost", auth=signed_in).status_code == 401
    body = {"rows": [CELL]}
    asked = {"host": "predictions.localhost", "path": "/v1/predictions", "method": "POST", "json": body}
    assert door.ask(**asked).status_code == 401
    assert door.ask(**asked, headers=running.predict_headers).status_code == 200


@pytest.mark.parametrize(("origin", "status"), [(f"mlflow.localhost:{PORT}", 200), ("elsewhere.test", 403)])
def test_mlflows_pages_may_ask_from_behind_the_proxy_and_no_others(
    running: Running, door: Door, origin: str, status: int
) -> None:
    answer = door.ask(
        "mlflow.localhost",
        "/ajax-api/2.0/mlflow/experiments/search",
        method="POST",
        json={"max_results": 5},
        auth=("reader", running.passwords["mlflow"]["reader"]),
        headers={"Origin": f"https://{origin}", "Host": f"mlflow.localhost:{PORT}"},
    )
    assert answer.status_code == status


def test_a_person_reads_the_pages_in_a_browser(running: Running, door: Door) -> None:
    credentials = {"username": "canopy", "password": running.passwords["proxy"]["canopy"]}
    with chromium() as browser:
        context = browser.new_context(ignore_https_errors=True, http_credentials=credentials)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(f"https://localhost:{PORT}")
        title = page.get_by_role("heading", name=texts_of("en")("pipeline.title"))
        expect(title).to_be_visible(timeout=PATIENCE_MS)
