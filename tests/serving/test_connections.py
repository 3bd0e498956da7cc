"""The service over plain sockets: bodies that do not come, callers that leave, replies in one piece."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from contracts.prediction import example_row
from tests.serving.onnx_models import CONTRACT
from tests.serving.registry import TestRegistry
from tests.serving.services import bearer, running

BODY = json.dumps(example_row(CONTRACT)).encode()
WITHIN_S = 2.0
AT_ONCE = 20


@pytest.fixture
def served(
    registry: TestRegistry, name: str, models: dict[str, Path], tmp_path: Path
) -> Iterator[tuple[str, dict[str, str]]]:
    """A service that waits two seconds for a body, and a key."""
    registry.promote(name, registry.register(name, models["plain"]))
    with running(tmp_path, registry.url, name, SERVING_REQUEST_TIMEOUT_S=f"{WITHIN_S:g}") as (url, _):
        yield url, bearer(tmp_path / "predict.key")


def opened(
    url: str, key: dict[str, str], path: str = "/v1/predictions", kind: str = "application/json"
) -> socket.socket:
    """A connection that has sent the head of a request, and no body."""
    address = httpx.URL(url)
    connection = socket.create_connection((address.host, address.port or 0), timeout=30)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
    head += f"Content-Length: {len(BODY)}\r\n"
    connection.sendall(f"{head}Authorization: {key['Authorization']}\r\n\r\n".encode())
    return connection


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/predictions", "application/json"), ("/v1/predictions:batch", "text/csv")]
)
def test_a_body_that_does_not_come_is_ended_and_others_go_on(
    served: tuple[str, dict[str, str]], path: str, kind: str
) -> None:
    url, key = served
    began = time.monotonic()
    waiting = [opened(url, key, path, kind) for _ in range(AT_ONCE)]
    for connection in waiting:
        connection.sendall(BODY[:20])
    answered = 0
    with httpx.Client(base_url=url, headers=key) as client:
        while time.monotonic() < began + WITHIN_S - 0.5:
            reply = client.post("/v1/predictions", content=BODY, headers={"Content-Type": "application/json"})
            answered += reply.is_success
    for connection in waiting:
        reply_text = connection.recv(65536)
        # Only some files have a place on the disk; others are told to come again.
        is_sent_away = kind != "application/json" and reply_text.startswith(b"HTTP/1.1 503")
        assert is_sent_away or reply_text.startswith(b"HTTP/1.1 408")
        assert is_sent_away or f"did not come within {WITHIN_S:g} s".encode() in reply_text
        connection.close()
    assert WITHIN_S <= time.monotonic() - began < WITHIN_S + 10
    assert answered > 10


def test_a_body_may_come_in_pieces(served: tuple[str, dict[str, str]]) -> None:
    connection = opened(*served)
    for start in range(0, len(BODY), 50):
        connection.sendall(BODY[start : start + 50])
        time.sleep(0.02)
    assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    connection.close()


def test_a_reply_comes_in_one_piece(served: tuple[str, dict[str, str]]) -> None:
    connection = opened(*served)
    connection.sendall(BODY)
    head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert json.loads(body)["predictions"][0]["cover_type_name"]
    # The connection is kept for the next one.
    connection.sendall(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert connection.recv(65536).endswith(b'{"status":"live"}')
    assert connection.recv(65536) == b""
    connection.close()


def test_callers_that_leave_hold_nothing_up(served: tuple[str, dict[str, str]]) -> None:
    url, key = served
    for sent in (b"", BODY[:20], BODY):
        for _ in range(AT_ONCE):
            connection = opened(url, key)
            connection.sendall(sent)
            connection.close()
    reply = httpx.post(
        f"{url}/v1/predictions", content=BODY, headers={**key, "Content-Type": "application/json"}
    )
    assert reply.status_code == 200
