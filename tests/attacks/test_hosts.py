"""No part answers a name that is not its own, or a page of another site: each server by itself."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import psutil
import pytest
import uvicorn
import yaml

from contracts.connections import HEAD_BYTES, Patience
from contracts.hosts import allowed_hosts, host_name, refusal
from contracts.http_protocol import CoalescingProtocol
from contracts.stack_settings import PROJECT, StackSettings
from deploy.access import door
from deploy.access import server as small
from deploy.access.server import bounded_server
from deploy.local.parts import parts
from deploy.monitor import page
from deploy.monitor.monitor import Monitor
from deploy.servers import mlflow_server
from deploy.site.serve import create_app
from source.simulator.server import serving as simulating
from source.simulator.settings import SimulatorSettings
from tests.attacks.hosts import (
    HEADERS,
    KEY,
    Asked,
    answer,
    headers_of,
    lacking,
    requests,
    running,
    say_nothing,
    status_of,
    wrongly_answered,
)
from tests.attacks.test_connections import is_closed_within, said
from tests.deploy.monitor.looking import NOBODY, monitor_settings
from tests.ui.parts import free_port, serving, started, streamlit


def test_names_beside_this_machines_own_are_let_in_only_where_they_are_set() -> None:
    allowed = allowed_hosts(" ui, *.Canopy.Example.org. ,[fd00::1]")
    for host in (
        "ui:8501",
        "docs.canopy.example.org",
        "a.b.canopy.example.org:8443",
        "[fd00::1]:80",
        "localhost",
    ):
        assert refusal(allowed, [host]) is None, host
    for host in ("canopy.example.org", "evilcanopy.example.org", "ui.evil", "uii", "[fd00::2]"):
        assert refusal(allowed, [host]) is not None, host
    assert refusal(allowed, ["docs.canopy.example.org"], ["https://docs.canopy.example.org"]) is None
    assert refusal(allowed, ["docs.canopy.example.org"], ["https://ui.canopy.example.org"]) is not None


def test_the_simulator_and_its_pages() -> None:
    assert host_name("[::1].evil.example") is None
    with simulating(SimulatorSettings(synthetic_rows=100, _env_file=None)) as url:
        assert wrongly_answered(httpx.URL(url).port or 0, "/") == []
        assert lacking(httpx.URL(url).port or 0) == {400: set(), 431: set()}


def test_no_page_of_another_site_takes_a_batch_or_starts_the_simulator_over_by_an_image() -> None:
    with (
        simulating(SimulatorSettings(synthetic_rows=1_000, _env_file=None)) as url,
        httpx.Client(base_url=url) as client,
    ):
        for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
            for path in ("/data", "/restart_data_generation"):
                told = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
                assert client.get(path, params={"group_number": 1}, headers=told).status_code == status


def test_the_documentation(docs_port: int, tmp_path: Path) -> None:
    assert wrongly_answered(docs_port, "/live", home=tmp_path) == []
    assert headers_of(docs_port, "/live") == set(HEADERS)


def test_an_address_that_names_another_server_is_not_followed(docs_port: int) -> None:
    own = Asked("own name", (f"127.0.0.1:{docs_port}",))
    for target in (f"http://evil.example:{docs_port}/live", "//evil.example/live", "evil.example:80"):
        assert (
            b"evil.example:" not in answer(docs_port, "/live", own, target=target).partition(b"\r\n\r\n")[0]
        )
    for target in ("//sub", "/sub", "/dbt", "/dbt/sub"):  # of the proxy's scheme and port nothing is known
        head = answer(docs_port, "/", own, target=target).partition(b"\r\n\r\n")[0]
        assert head.splitlines()[0].endswith(b"307 Temporary Redirect")
        assert re.search(rb"^location: (\./sub/|/dbt/)\r?$", head, re.M), head


HALVES = (b"", b"GET /live HT", b"GET /live HTTP/1.1\r\nHost: 127", b"GET /live HTTP/1.1\r\nHost: x\r\nX-A: ")


SMALL = pytest.mark.parametrize("part", ["docs", "monitor", "door"])


def small_server(part: str, folder: Path) -> uvicorn.Server:
    """Returns one of Canopy's small servers."""
    if part == "docs":
        return bounded_server(create_app(folder, folder, folder), "127.0.0.1", 0)
    if part == "door":
        return door.make_server("127.0.0.1", 0, "only for this test")
    return page.make_server(Monitor([], monitor_settings(folder), NOBODY), "127.0.0.1", 0)


@SMALL
def test_half_requests_end_and_neither_take_threads_nor_shut_others_out(
    part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    patience = small.PATIENCE
    assert 0 < patience.head_s <= patience.idle_s <= 60
    monkeypatch.setattr(small, "PATIENCE", replace(patience, head_s=1.0, idle_s=2.0))
    before = threading.active_count()
    with running(small_server(part, tmp_path)) as port, ExitStack() as opened:
        held = [
            opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            for _ in range(3 * patience.connections)
        ]
        for connection, half in zip(held, cycle(HALVES)):
            with suppress(OSError):  # it had to make room
                connection.sendall(half)
        dripping = held[:: len(HALVES) + 1]
        began = time.monotonic()
        while time.monotonic() - began < 1.5:  # what drips is never silent
            for connection in dripping:
                with suppress(OSError):
                    connection.sendall(b"a")
            own = [one for one in psutil.Process().net_connections() if one.laddr[1:] == (port,)]
            assert sum(one.status == "ESTABLISHED" for one in own) <= patience.connections
            assert threading.active_count() <= before + 2
            time.sleep(0.1)
        asked = Asked("own name", (f"127.0.0.1:{port}",))
        assert status_of(port, "/live", asked) == 200
        assert all(is_closed_within(connection, 10) for connection in held)


LONG = b"X-A: " + b"a" * 60_000 + b"\r\n"
# The heads that are over, by how: what is sent after the first line, and how often.
OVER = {
    "one header": (b"X-A: " + b"a" * HEAD_BYTES, 1),
    "two headers": (LONG, 2),
    "a hundred headers, each as long as the library takes": (LONG, 100),
    "many short headers": (b"X-A: b\r\n" * 10_000, 1),
    "a line without an end": (b"a" * 60_000, 100),
}


@SMALL
@pytest.mark.parametrize("what", OVER)
def test_a_head_of_a_small_server_has_64_kilobytes(part: str, tmp_path: Path, what: str) -> None:
    piece, times = OVER[what]
    with running(small_server(part, tmp_path)) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            with suppress(OSError):
                connection.sendall(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n" + piece * times)
            reply = connection.recv(1000)
        assert b" 431 " in reply.partition(b"\r\n")[0]
        assert status_of(port, "/live", Asked("own name", (f"127.0.0.1:{port}",))) == 200


@SMALL
def test_a_small_server_takes_a_head_of_64_kilobytes_and_not_of_twice_as_many(
    part: str, tmp_path: Path
) -> None:
    with running(small_server(part, tmp_path)) as port:
        line = f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n".encode()
        for size, status in ((HEAD_BYTES, b" 200 "), (2 * HEAD_BYTES + 1, b" 431 ")):
            head = line + b"X-A: " + b"a" * (size - len(line) - len(b"X-A: \r\n\r\n")) + b"\r\n\r\n"
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(head)
                assert status in connection.recv(1000).partition(b"\r\n")[0], size


@SMALL
def test_a_small_server_tells_browsers_the_same_where_no_application_is_asked(
    part: str, tmp_path: Path
) -> None:
    with running(small_server(part, tmp_path)) as port:
        assert lacking(port) == {400: set(), 431: set()}


@SMALL
def test_a_small_server_goes_by_the_host_of_a_whole_address(part: str, tmp_path: Path) -> None:
    with running(small_server(part, tmp_path)) as port:
        assert wrongly_answered(port, "/live") == []
        for whole, status in ((f"127.0.0.1:{port}", 200), (f"[::1]:{port}", 200), ("evil.example", 403)):
            asked = Asked("another Host", ("evil.example" if status == 200 else "127.0.0.1",))
            assert status_of(port, "/live", replace(asked, target_host=whole)) == status


def test_as_many_long_heads_as_there_may_be_connections_fit_into_the_container(tmp_path: Path) -> None:
    port, settings = free_port(), {"CANOPY_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "deploy.site.serve", "--port", str(port), "--pages", str(tmp_path)]
    with started(command, settings, f"http://127.0.0.1:{port}", "/live", tmp_path), ExitStack() as opened:
        docs = next(one for one in psutil.Process().children() if str(port) in one.cmdline())
        before = docs.memory_info().rss
        held = [
            opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            for _ in range(small.PATIENCE.connections)
        ]
        for connection in held:
            with suppress(OSError):
                connection.sendall(b"GET /live HTTP/1.1\r\n" + LONG * 99)
        assert docs.memory_info().rss - before < 30 * 2**20


@pytest.fixture(params=["simulator", "uvicorn as MLflow has it", "ui"])
def asynchronous_port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """Returns the port of each of the servers that uvicorn runs for us."""
    if request.param == "simulator":
        with simulating(SimulatorSettings(synthetic_rows=100, _env_file=None)) as url:
            yield httpx.URL(url).port or 0
    elif request.param == "ui":
        with streamlit({"CANOPY_HOME": str(tmp_path)}, tmp_path) as url:
            yield httpx.URL(url).port or 0
    else:
        port = free_port()
        command = [sys.executable, "-m", "deploy.servers.bounded_server", "tests.attacks.hosts:say_nothing"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--lifespan", "off"]
        with started(command, {}, f"http://127.0.0.1:{port}", "/", tmp_path):
            yield port


@pytest.mark.long  # its bound is ten seconds
def test_half_requests_end_where_uvicorn_answers(
    asynchronous_port: int, request: pytest.FixtureRequest
) -> None:
    has_websockets = request.node.callspec.params["asynchronous_port"] == "ui"
    began = time.monotonic()
    with ExitStack() as opened:
        talk = opened.enter_context(socket.create_connection(("127.0.0.1", asynchronous_port), timeout=30))
        talk.sendall(handshake(asynchronous_port))
        assert talk.recv(65536).startswith(b"HTTP/1.1 101" if has_websockets else b"HTTP/1.1 ")
        held = [
            opened.enter_context(socket.create_connection(("127.0.0.1", asynchronous_port), timeout=30))
            for _ in range(40)
        ]
        for connection, half in zip(held, cycle(half for half in HALVES if half)):
            connection.sendall(half)
        long = held.pop(2)  # in the middle of a header
        with suppress(OSError):
            for _ in range(20):
                long.sendall(b"a" * 60_000)
        assert b" 431 " in said(long)
        asked = Asked("own name", (f"127.0.0.1:{asynchronous_port}",))
        assert status_of(asynchronous_port, "/", asked) in (200, 204)
        assert all(said(connection).startswith(b"HTTP/1.1 408") for connection in held)
        assert time.monotonic() - began < 2 * Patience().head_s
        if has_websockets:  # one that only listens is no half request
            talk.setblocking(False)
            with suppress(BlockingIOError):
                while talk.recv(65536):
                    pass
                pytest.fail("the websocket was closed")
    if not has_websockets:
        websocket = answer(asynchronous_port, "/", asked, is_websocket=True)
        assert not websocket.startswith((b"HTTP/1.1 101", b"HTTP/1.1 5"))


def handshake(port: int) -> bytes:
    """Returns how a page of the UI asks for its websocket."""
    lines = ["GET /_stcore/stream HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Origin: http://127.0.0.1:{port}"]
    lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    return "\r\n".join([*lines, f"Sec-WebSocket-Key: {KEY}", "", ""]).encode()


def test_mlflow_and_airflow_are_started_with_bounded_connections(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[Any] = []
    server = SimpleNamespace(_build_uvicorn_command=lambda *_: ["python", "-m", "uvicorn", "app"])
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(server=server))
    monkeypatch.setitem(sys.modules, "mlflow.server", server)
    monkeypatch.setitem(sys.modules, "mlflow.cli", SimpleNamespace(cli=started.append))
    monkeypatch.setattr(mlflow_server.os, "environ", dict(os.environ))  # it is a process of its own else
    mlflow_server.main()
    assert started
    assert server._build_uvicorn_command()[1:3] == ["-m", "deploy.servers.bounded_server"]
    bounded = "deploy.servers.airflow_api_server"
    containers = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]
    (airflow,) = (part for part in parts(StackSettings(home=tmp_path)) if part.name == "airflow-api")
    assert bounded in airflow.command
    assert bounded in containers["airflow-api"]["command"]


def test_half_a_body_ends_and_one_that_comes_slowly_does_not() -> None:
    patience = Patience(body_s=0.5)
    config = uvicorn.Config(
        say_nothing, http=partial(CoalescingProtocol, patience=patience), ws="none", lifespan="off"
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n"
    half, slow = (socket.create_connection(listener.getsockname(), timeout=10) for _ in range(2))
    try:
        half.sendall(head + b"a")
        slow.sendall(head)
        for _ in range(12):
            time.sleep(0.2)
            slow.sendall(b"a")
        assert slow.recv(100).startswith(b"HTTP/1.1 204")
        assert is_closed_within(half, 0.1)
    finally:
        for connection in (half, slow):
            connection.close()
        server.should_exit = True
        thread.join()
        listener.close()


def test_the_prediction_service(tmp_path: Path) -> None:
    with serving(tmp_path, has_model=False) as url:
        port = httpx.URL(url).port or 0
        assert wrongly_answered(port, "/live", home=tmp_path) == []
        assert headers_of(port, "/live") == set(HEADERS)
        assert lacking(port) == {400: set(), 431: set()}
        foreign = Asked("foreign", ("evil.example",))
        for path in (
            "/ready",
            "/metrics",
            "/docs",
            "/openapi.json",
            "/v1/model",
            "/v1/predictions",
            "/nothing",
            "/v1/model/",
        ):
            assert status_of(port, path, foreign) in (400, 421), path


def test_the_ui_and_the_handshake_of_its_websocket(tmp_path: Path) -> None:
    with streamlit({"CANOPY_HOME": str(tmp_path)}, tmp_path) as url:
        port = httpx.URL(url).port or 0
        assert wrongly_answered(port, "/_stcore/health", home=tmp_path) == []
        assert wrongly_answered(port, "/", home=tmp_path) == []
        assert wrongly_answered(port, "/_stcore/stream", is_websocket=True, home=tmp_path) == []
        assert headers_of(port, "/") == set(HEADERS)
        assert lacking(port) == {400: set(), 431: set()}


@pytest.fixture
def docs_port(tmp_path: Path) -> Iterator[int]:
    for folder in (tmp_path, tmp_path / "sub"):
        folder.mkdir(exist_ok=True)
        (folder / "index.html").write_text("a page")
    with running(small_server("docs", tmp_path)) as port:
        yield port


def test_the_list_of_odd_requests_has_both_kinds() -> None:
    asked = list(requests(80))
    assert sum(one.is_let_in for one in asked) >= 5
    assert sum(not one.is_let_in for one in asked) >= 30
