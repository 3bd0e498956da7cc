"""Requests whose end two readers could see in different places: one answer, and nothing after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.served import BODY, Service, put_model, served

HEAD = b"POST /v1/predictions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
SIZE = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
# What somebody else would have been sent the answer of.
SMUGGLED = b"GET /v1/model HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
ODD = {
    "a length and pieces": HEAD + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n" + CHUNKS,
    "pieces and a length": HEAD + CHUNKED + b"Content-Length: 5\r\n\r\n" + CHUNKS,
    "two lengths": HEAD + SIZE + b"Content-Length: 0\r\n\r\n" + BODY,
    "the same length twice": HEAD + SIZE + SIZE + b"\r\n" + BODY,
    "a list of lengths": HEAD + b"Content-Length: %d, %d\r\n\r\n" % (len(BODY), len(BODY)) + BODY,
    "an unknown encoding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS,
    "an encoding after pieces": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKS,
    "a blank before the colon": HEAD + SIZE.replace(b":", b" :") + b"\r\n" + BODY,
    "a folded line": HEAD + b"X-A: b\r\n Content-Length: 3\r\n" + SIZE + b"\r\n" + BODY,
    "lines without a return": (HEAD + SIZE + b"\r\n").replace(b"\r\n", b"\n") + BODY,
    "a length with a plus": HEAD + SIZE.replace(b": ", b": +") + b"\r\n" + BODY,
    "a length below nothing": HEAD + SIZE.replace(b": ", b": -") + b"\r\n" + BODY,
    "a length beyond all": HEAD + b"Content-Length: " + b"9" * 24 + b"\r\n\r\n" + BODY,
    "a piece beyond all": HEAD + CHUNKED + b"\r\n" + b"F" * 17 + b"\r\n" + BODY,
    "a piece longer than it says": HEAD + CHUNKED + b"\r\n1\r\nAAAA\r\n0\r\n\r\n",
    "a NUL in a header": HEAD + b"X-A: a\0b\r\n" + SIZE + b"\r\n" + BODY,
    "a return in a header": HEAD + b"X-A: a\rb\r\n" + SIZE + b"\r\n" + BODY,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("framing")
    put_model(folder)
    with served(folder) as service:
        yield service


def replies(service: Service, request: bytes) -> list[bytes]:
    """The statuses of all that is answered until the connection is closed."""
    key = f"Authorization: {service.key['Authorization']}\r\n".encode()
    signed = request.replace(b"Host: 127.0.0.1\r\n", b"Host: 127.0.0.1\r\n" + key)
    received = b""
    with service.connected() as connection:
        connection.settimeout(20)
        connection.sendall(signed)
        while part := connection.recv(65536):
            received += part
    return [line.split()[1] for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


@pytest.mark.parametrize("what", ODD)
def test_a_request_with_two_ends_is_refused_and_nothing_behind_it_is_read(
    service: Service, what: str
) -> None:
    assert replies(service, ODD[what] + SMUGGLED) == [b"400"]
    assert service.ask().status_code == 200


def test_no_other_protocol_is_changed_to(service: Service) -> None:
    for words in (b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", b"Upgrade: websocket"):
        head = b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, close\r\n"
        assert replies(service, head + words + b"\r\n\r\n") == [b"200"]


@pytest.mark.parametrize("first", [True, False])
def test_two_sign_ins_are_one_too_many(service: Service, first: bool) -> None:
    """What stands in front may have looked at the other."""
    wrong = b"Authorization: Bearer wrong\r\n"
    close = b"Connection: close\r\n"
    head = HEAD.replace(b"Host", wrong + b"Host") if first else HEAD + wrong
    assert replies(service, head + close + SIZE + b"\r\n" + BODY) == [b"401"]


def test_what_stands_behind_a_body_is_no_header(service: Service) -> None:
    """Who may ask is decided before it is there."""
    key = f"Authorization: {service.key['Authorization']}\r\n".encode()
    behind = CHUNKS.removesuffix(b"\r\n") + key + b"\r\n"
    request = HEAD + CHUNKED + b"Connection: close\r\n\r\n" + behind
    with service.connected() as connection:
        connection.settimeout(20)
        connection.sendall(request)
        assert connection.recv(65536).split()[1] == b"401"
