"""Callers that send heads without an end, half requests, or read nothing: they cost themselves alone."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from contracts.connections import FEWEST, allowed_connections
from serving.http.batch import PLACES
from tests.attacks.served import BODY, JSON, Service, put_model, served
from tests.attacks.state import comes_in, unchanged

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:::{name}") for name in ("skl2onnx", "onnx", "google", "pydantic")
]
WITHIN_S, HEAD_S, CALLERS = 3.0, 1.0, 60
PATIENCE = {
    "SERVING_REQUEST_TIMEOUT_S": str(WITHIN_S),
    "SERVING_HEAD_TIMEOUT_S": str(HEAD_S),
    "SERVING_CONNECTION_LIMIT": str(CALLERS),
    "SERVING_BATCHES_AT_ONCE": "2",
}
MEGABYTES = 20
FILES = 2  # of a place: the body, and what is read in it


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that waits a second for a head and three for a body."""
    folder = tmp_path_factory.mktemp("service")
    put_model(folder)
    with served(folder, **PATIENCE) as running:
        yield running


@pytest.fixture(autouse=True)
def _home_is_kept(service: Service) -> Iterator[None]:
    """Compares the home before and after each head and each caller; what was predicted may be shipped."""
    with unchanged(service.folder, but=comes_meanwhile):
        yield


def comes_meanwhile(name: str) -> bool:
    """Picks what a service writes of itself and ships, and the folder where the first file waits."""
    return comes_in(name) or name.split("/")[0] == "lake" or name == "serving-work"


def flood(connection: socket.socket, begin: bytes, piece: bytes, megabytes: int = MEGABYTES) -> bytes:
    """Sends a beginning and then pieces until the other side has enough; returns what it said."""
    sent = 0
    with contextlib.suppress(OSError):
        connection.sendall(begin)
        while sent < megabytes * 2**20:
            connection.sendall(piece)
            sent += len(piece)
    return said(connection)


def said(connection: socket.socket) -> bytes:
    """All that comes until the connection is closed."""
    parts = []
    with contextlib.suppress(OSError):
        while part := connection.recv(65536):
            parts.append(part)
    connection.close()
    return b"".join(parts)


def is_closed_within(connection: socket.socket, seconds: float) -> bool:
    """Whether the other side closes a connection in time."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


LONG = b"a" * 60_000
ENDLESS = {
    "a header": (b"GET /live HTTP/1.1\r\nX-A: ", LONG),
    "a header's name": (b"GET /live HTTP/1.1\r\nX-", LONG),
    "headers": (b"GET /live HTTP/1.1\r\n", b"X-A: b\r\n" * 5_000),
    "a path": (b"GET /", LONG),
    "a query": (b"GET /live?", LONG),
    "empty lines": (b"\r\n", b"\r\n" * 20_000),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_a_head_without_an_end_is_refused_at_64_kilobytes_and_others_go_on(
    service: Service, what: str
) -> None:
    for _ in range(20):  # what a first request loads is no one's fault
        assert httpx.get(f"{service.url}/live").status_code == 200
    before = psutil.Process(service.process.pid).memory_info().rss
    begin, piece = ENDLESS[what]
    reply = flood(service.connected(), begin, piece)
    assert not reply or reply.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")), reply[:200]
    if reply.startswith(b"HTTP/1.1 431"):
        head, _, body = reply.partition(b"\r\n\r\n")
        assert b"application/problem+json" in head
        assert json.loads(body)["type"] == "urn:canopy:problem:too-large"
    took = []
    for _ in range(20):
        began = time.perf_counter()
        assert httpx.get(f"{service.url}/live").status_code == 200
        took.append(time.perf_counter() - began)
    assert statistics.median(took) < 1.0
    assert psutil.Process(service.process.pid).memory_info().rss - before < 30 * 2**20


def test_a_head_below_the_limit_is_taken_however_it_comes(service: Service) -> None:
    head = (
        b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-A: " + b"a" * 60_000 + b"\r\n\r\n"
    )
    connection = service.connected()
    connection.sendall(head)
    assert said(connection).startswith(b"HTTP/1.1 200")
    connection = service.connected()
    for start in range(0, len(head), 5_000):
        connection.sendall(head[start : start + 5_000])
        time.sleep(0.005)
    assert said(connection).startswith(b"HTTP/1.1 200")


def test_a_reason_reaches_a_caller_that_is_still_sending(service: Service) -> None:
    reply = flood(service.connected(), b"GET /live HTTP/1.1\r\nX-A: ", LONG, 1)
    assert reply.startswith(b"HTTP/1.1 431")
    assert b"over 65536 bytes" in reply


@pytest.mark.parametrize("piece", [b"X-A: " + LONG, b"1;" + LONG])
def test_what_follows_a_chunk_has_an_end_too(service: Service, piece: bytes) -> None:
    head = service.head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    begin = head + (b"2\r\n{}\r\n0\r\n" if piece.startswith(b"X") else b"2\r\n{}\r\n")
    reply = flood(service.connected(), begin, piece)
    assert b"HTTP/1.1 200" not in reply
    assert service.ask().status_code == 200


def test_requests_that_wait_in_a_row_are_bounded(service: Service) -> None:
    before = psutil.Process(service.process.pid).memory_info().rss
    reply = flood(service.connected(), b"", b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n" * 5_000, 5)
    assert reply.count(b"HTTP/1.1 200") < 5_000
    assert b"HTTP/1.1 400" not in reply or b"More than 100 requests wait" in reply
    assert psutil.Process(service.process.pid).memory_info().rss - before < 60 * 2**20
    assert service.ask().status_code == 200


HALF = {
    "nothing": b"",
    "a line": b"GET /live HTTP/1.1\r\n",
    "half a header": b"POST /v1/predictions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthoriz",
    "an empty line": b"\r\n",
}


@pytest.mark.parametrize("what", [name for name in HALF if name != "nothing"])
def test_a_half_head_is_answered_with_408_and_closed(service: Service, what: str) -> None:
    connection = service.connected()
    connection.sendall(HALF[what])
    began = time.monotonic()
    reply = said(connection)
    assert HEAD_S <= time.monotonic() - began < HEAD_S + 15
    assert reply.startswith(b"HTTP/1.1 408")
    assert b"x-frame-options" in reply
    assert f"within {HEAD_S:g} s".encode() in reply


def test_a_head_that_drips_is_closed_all_the_same(service: Service) -> None:
    connection, began = service.connected(), time.monotonic()
    with contextlib.suppress(OSError):
        for letter in b"GET /live HTTP/1.1\r\nX-A: " + b"a" * 200:
            connection.sendall(bytes([letter]))
            time.sleep(0.1)
    assert time.monotonic() - began < HEAD_S + 15
    connection.close()


def test_a_body_that_nobody_waits_for_is_not_taken_for_ever(service: Service) -> None:
    connection = service.connected()
    connection.sendall(service.head(10**9).replace(b"Bearer ", b"Bearer un"))
    assert connection.recv(100).startswith(b"HTTP/1.1 401")
    assert is_closed_within(connection, WITHIN_S + 15)
    connection.close()


def test_connections_are_bounded_and_idle_ones_make_room(service: Service) -> None:
    idle = [service.connected() for _ in range(3 * CALLERS)]
    process = psutil.Process(service.process.pid)
    for _ in range(20):
        assert service.ask().status_code == 200
    assert len(process.net_connections()) < 2 * CALLERS
    for connection in idle:
        connection.close()
    assert service.ask().status_code == 200


@pytest.mark.long
def test_a_service_with_few_descriptors_still_answers(tmp_path: Path) -> None:
    put_model(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    assert allowed_connections(1_000) == 128
    assert allowed_connections(5) == FEWEST
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with served(tmp_path) as service:
        process = psutil.Process(service.process.pid)
        process.rlimit(psutil.RLIMIT_NOFILE, (200, 200))
        idle = [service.connected() for _ in range(300)]
        time.sleep(0.5)
        statuses = []
        for connection in idle:
            connection.close()
        for _ in range(30):
            with contextlib.suppress(httpx.TransportError):
                statuses.append(service.ask().status_code)
            time.sleep(0.1)
        assert statuses[-1] == 200
        assert service.process.poll() is None


@pytest.mark.long
def test_files_that_come_slowly_wait_for_a_place_before_they_lie_on_the_disk(
    service: Service,
) -> None:
    places = 2 * PLACES
    head = service.head(1_000, "/v1/predictions:batch", "text/csv")
    waiting = [service.connected() for _ in range(3 * places)]
    for connection in waiting:
        connection.sendall(head + b"elevation_m")
    most, until = 0, time.monotonic() + WITHIN_S - 1
    while time.monotonic() < until:
        most = max(most, len(files_at_work(service)))
        time.sleep(0.05)
    assert most == places * FILES
    # Those that got a place from one whose time was up hold it for the same time, and the others give up.
    replies = [said(connection) for connection in waiting]
    assert {reply[9:12] for reply in replies} == {b"408", b"503"}
    assert sum(reply.startswith(b"HTTP/1.1 503") for reply in replies) >= places / 2
    assert files_at_work(service) == []


def held_ports(service: Service) -> set[int]:
    """The callers' ports of the connections that the service holds."""
    return {item.raddr.port for item in psutil.Process(service.process.pid).net_connections() if item.raddr}


def files_at_work(service: Service) -> list[str]:
    """The files without a name that the service holds open in its work folder."""
    links = []
    for item in Path(f"/proc/{service.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(str(item.readlink()))
    return [link for link in links if "/serving-work/" in link]


@pytest.mark.long
def test_one_that_does_not_read_is_cut_off_and_holds_no_other_up(service: Service) -> None:
    header = ",".join(json.loads(BODY))
    row = ",".join(map(str, json.loads(BODY).values()))
    many = f"{header}\n{(row + chr(10)) * 60_000}".encode()
    connection = service.connected()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    head = service.head(len(many), "/v1/predictions:batch", "text/csv")
    head = head.replace(b"Host:", b"Accept: application/x-ndjson\r\nHost:")
    connection.sendall(head + many)
    one = f"{header}\n{row}\n".encode()
    # While the first one's answer stands still, a second file is answered.
    assert service.ask(one, "text/csv", "/v1/predictions:batch").status_code == 200
    assert connection.getsockname()[1] in held_ports(service)
    time.sleep(2 * WITHIN_S + 2)
    # Not read to its end: what is on its way takes 100 s through so small a buffer.
    assert connection.getsockname()[1] not in held_ports(service)
    connection.close()
    assert service.ask(one, "text/csv", "/v1/predictions:batch").status_code == 200


@pytest.mark.long
def test_one_that_reads_nothing_of_many_replies_is_cut_off(service: Service) -> None:
    connection = service.connected()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    rows = json.dumps({"rows": [json.loads(BODY)] * 900}).encode()
    one = service.head(len(rows)) + rows
    connection.setblocking(False)
    until = time.monotonic() + 3 * WITHIN_S + 15
    rest = b""
    is_cut = False
    while time.monotonic() < until and not is_cut:
        try:
            rest = rest or one
            rest = rest[connection.send(rest) :]
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:
            is_cut = True
    assert is_cut
    connection.close()
    assert service.ask().status_code == 200


def test_a_wrong_slash_is_no_redirect_to_the_host_that_the_caller_names(service: Service) -> None:
    address = httpx.URL(service.url)
    for path in ("/v1/model:reload/", "/live/", "/v1/predictions/"):
        with socket.create_connection((address.host, address.port or 0), timeout=30) as connection:
            head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            connection.sendall(f"{head}Authorization: {service.key['Authorization']}\r\n\r\n".encode())
            reply = said(connection)
        assert reply.startswith((b"HTTP/1.1 404", b"HTTP/1.1 405")), reply[:100]
        assert b"location:" not in reply.lower()


def test_an_upgrade_is_answered_like_any_request_and_fills_no_log(service: Service) -> None:
    lines = "Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: YQ==\r\nHost: 127.0.0.1"
    before = len(service.log())
    for _ in range(20):
        connection = service.connected()
        connection.sendall(f"GET /live HTTP/1.1\r\n{lines}\r\n\r\n".encode())
        assert said(connection).startswith(b"HTTP/1.1 200")
    assert len(service.log()) - before < 500


def test_a_caller_without_a_key_is_refused(service: Service) -> None:
    headers = {"Content-Type": JSON}
    assert httpx.post(f"{service.url}/v1/predictions", content=BODY, headers=headers).status_code == 401
