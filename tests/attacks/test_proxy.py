"""Behind the proxy everything asks for a sign-in, and tries are limited: the real Caddyfile."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.hosts import allowed_hosts
from contracts.stack_settings import PROJECT
from deploy.access import door
from deploy.access.tries import TRIES
from tests.attacks.hosts import running
from tests.attacks.test_connections import is_closed_within
from tests.ui.parts import free_port

PASSWORD = "only for this test"
DOMAIN = "canopy.test"
# As docker/proxy/Caddyfile has it.
HEAD_S = 10
PARTS = ("ui", "docs", "airflow-api", "mlflow", "serving")
SIGNED_IN = ("canopy", PASSWORD)


# Where Airflow and MLflow say who asks them, and what each takes for a sign-in.
WHO = {"/ui/auth/me": ("Cookie", "_token=right"), "/version": ("Authorization", "right")}

# Looks like a sign-in, and is none.
FALSE: tuple[dict[str, str], ...] = (
    {},
    *({"Authorization": given} for given in ("x", "Bearer x", "Basic eDp4")),
    {"Cookie": "a_token=1"},
    {"Cookie": "_token=wrong", "Authorization": "x"},
)


class Service(BaseHTTPRequestHandler):
    """Says what it was asked; 401 where it says who asks, and the sign-in is not right."""

    def do_GET(self) -> None:
        """Answers one line."""
        name, right = WHO.get(self.path.partition("?")[0], ("", None))
        body = f"{self.headers['Host']} {self.path}".encode()
        self.send_response(200 if self.headers.get(name) == right else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


class Proxy:
    """A client that trusts the proxy's authority."""

    def __init__(self, port: int, authority: Path) -> None:
        self._port, self._authority = port, authority
        self._client = httpx.Client(verify=ssl.create_default_context(cafile=authority), trust_env=False)

    def ask(self, name: str, path: str = "/", **more: Any) -> httpx.Response:
        """What is answered to who asks `name`, or the domain itself."""
        host = f"{name}.{DOMAIN}" if name else DOMAIN
        more["headers"] = {"Host": f"{host}:{self._port}"} | more.get("headers", {})
        url = f"https://127.0.0.1:{self._port}{path}"
        return self._client.get(url, extensions={"sni_hostname": host}, **more)

    def connected(self) -> ssl.SSLSocket:
        """Returns a connection that has sent nothing."""
        plain = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        return ssl.create_default_context(cafile=self._authority).wrap_socket(plain, server_hostname=DOMAIN)

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    assert shutil.which("caddy"), "Install it: apt-get install --no-install-recommends caddy"
    port, ports = free_port(), {}
    with ExitStack() as stack:
        at_door = door.make_server("127.0.0.1", 0, PASSWORD, allowed_hosts(f"{DOMAIN},*.{DOMAIN}"))
        ports["door"] = stack.enter_context(running(at_door))
        for name in PARTS:
            server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
            stack.callback(server.server_close)
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            ports[name] = server.server_address[1]
        configuration = (PROJECT / "docker" / "proxy" / "Caddyfile").read_text()
        configuration = re.sub(
            rf"\b({'|'.join(ports)}):\d+", lambda found: f"127.0.0.1:{ports[found[1]]}", configuration
        )
        here = f"{{\n\thttps_port {port}\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n"
        file = tmp_path / "Caddyfile"
        file.write_text(configuration.replace("{\n", here, 1))
        given = {
            "CANOPY_DOMAIN": DOMAIN,
            "CANOPY_TLS": "internal",
            "XDG_DATA_HOME": str(tmp_path),
            "HOME": str(tmp_path),
        }
        command = ["caddy", "run", "--config", str(file), "--adapter", "caddyfile"]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, env=os.environ | given, stdout=log, stderr=log)
        try:
            authority = tmp_path / "caddy" / "pki" / "authorities" / "local" / "root.crt"
            yield _opened(process, port, authority, tmp_path / "log", stack)
        finally:
            process.terminate()
            process.wait(10)


def test_every_page_asks_for_a_sign_in_and_says_what_a_browser_may_do(proxy: Proxy) -> None:
    for name, path in (("", "/"), ("docs", "/"), ("predictions", "/docs"), ("predictions", "/openapi.json")):
        assert proxy.ask(name, path).status_code == 401, name
        assert proxy.ask(name, path, auth=SIGNED_IN).status_code == 200, name
    for name in ("", "docs", "airflow", "mlflow"):
        answer = proxy.ask(name, "/some/page", auth=SIGNED_IN)
        assert answer.status_code == 200
        for header in (
            *("strict-transport-security", "x-content-type-options", "x-frame-options", "referrer-policy"),
            "content-security-policy",
        ):
            assert header in answer.headers, (name, header)
        assert "server" not in answer.headers or "Caddy" not in answer.headers["server"]


def test_what_is_for_the_stack_itself_is_not_public(proxy: Proxy) -> None:
    for path in (
        "/metrics",
        "/ready",
        "/metrics/",
        "//metrics",
        "/%6detrics",
        "/v1/../metrics",
        "/v1/%2e%2e/metrics",
        "/live",
    ):
        answer = proxy.ask("predictions", path)
        assert answer.status_code in (401, 404) or "metrics" not in answer.text.rpartition("/")[2], path
    for path in ("/health", "/healthy", "/version"):
        assert proxy.ask("mlflow", path).status_code == 404
    assert proxy.ask("predictions", "/v1/model").status_code == 200  # the service asks for its keys itself


def test_what_airflow_and_mlflow_tell_anybody_wants_a_sign_in_that_they_take(proxy: Proxy) -> None:
    for sign_in in FALSE:
        for path in (
            *("/api/v2/monitor/health", "/api/v2/monitor/health/", "/api/v2/version", "/API/v2/version"),
            *("//api/v2/version", "/api/v2/%76ersion", "/api/v2/x/../version", "/api/v2/version?x=1"),
        ):
            assert proxy.ask("airflow", path, headers=sign_in).status_code == 401, (path, sign_in)
        for path in ("/api/3.0/mlflow/server-info", "/ajax-api/3.0/mlflow/server-info?x=1"):
            assert proxy.ask("mlflow", path, headers=sign_in).status_code == 401, (path, sign_in)


def test_what_airflow_and_mlflow_tell_is_shown_to_who_has_signed_in(proxy: Proxy) -> None:
    for path in ("/api/v2/monitor/health", "/api/v2/version"):
        assert proxy.ask("airflow", path, headers={"Cookie": "_token=right"}).text.endswith(path)
    path = "/ajax-api/3.0/mlflow/server-info"
    assert proxy.ask("mlflow", path, headers={"Authorization": "right"}).text.endswith(path)


def test_airflows_descriptions_and_what_its_tasks_ask_are_not_public(proxy: Proxy) -> None:
    right = {"Cookie": "_token=right", "Authorization": "right"}
    for below in ("", "/auth", "/cosmos", "/execution"):
        for path in ("/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json", "/%64ocs", "/DOCS"):
            for sign_in in (*FALSE, right):
                assert proxy.ask("airflow", below + path, headers=sign_in).status_code == 404, below + path
    for path in ("/execution/health", "/execution/variables/a", "/execution/changelog"):
        assert proxy.ask("airflow", path, headers=right).status_code == 404, path


@pytest.mark.long
def test_half_a_head_is_ended_and_a_long_one_is_refused(proxy: Proxy) -> None:
    halves = (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: canopy.test\r\nX-A: ")
    with ExitStack() as opened:
        held = [opened.enter_context(proxy.connected()) for _ in halves]
        for connection, half in zip(held, halves, strict=True):
            connection.sendall(half)
        assert not is_closed_within(held[0], HEAD_S / 2)
        for connection in held:
            assert is_closed_within(connection, HEAD_S + 10)
    for header in ("a" * 40_000, "a" * 100_000):
        status = proxy.ask("predictions", "/v1/model", headers={"X-A": header}).status_code
        assert status == (200 if len(header) < 65_536 else 431)


def test_tries_are_limited_and_the_right_password_does_not_help_then(proxy: Proxy) -> None:
    statuses = [proxy.ask("", auth=("canopy", f"wrong {number}")).status_code for number in range(TRIES + 3)]
    assert statuses == [401] * TRIES + [429] * 3
    assert proxy.ask("docs", auth=SIGNED_IN).status_code == 429
    # An address that the sender makes up is not believed.
    assert proxy.ask("", auth=SIGNED_IN, headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 429


def _opened(
    process: subprocess.Popen[bytes], port: int, authority: Path, log: Path, stack: ExitStack
) -> Proxy:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        if authority.exists() and b"END CERTIFICATE" in authority.read_bytes():
            opened = Proxy(port, authority)
            try:
                opened.ask("", "/")
            except httpx.HTTPError:  # it is still making its certificates
                opened.close()
                time.sleep(0.1)
            else:
                stack.callback(opened.close)
                return opened
        time.sleep(0.05)
    raise AssertionError(log.read_text()[-3000:])
