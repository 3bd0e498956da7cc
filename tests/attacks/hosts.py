"""Requests as a rebound name, another site's page or a confused client sends them: bytes on a socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from contracts.hosts import Receive, Scope, Send
from tests.attacks.state import comes_in, unchanged

HEADERS = ("content-security-policy", "referrer-policy", "x-content-type-options", "x-frame-options")
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        says: What is odd about it.
        hosts: Each `Host` header.
        origins: Each `Origin` header.
        is_let_in: Whether the part must answer as to anybody.
        target_host: The host in the request line, where that is a whole address.
    """

    says: str
    hosts: tuple[str, ...]
    origins: tuple[str, ...] = ()
    is_let_in: bool = False
    target_host: str = ""


def requests(port: int) -> Iterator[Asked]:
    """Every kind of name and of page, against a part on 127.0.0.1."""
    own = f"127.0.0.1:{port}"
    for host in (
        own,
        f"localhost:{port}",
        f"LocalHost:{port}",
        f"localhost.:{port}",
        f"[::1]:{port}",
        "127.0.0.1",
    ):
        yield Asked(f"own name {host}", (host,), is_let_in=True)
    yield Asked("its own page", (own,), (f"http://{own}",), is_let_in=True)
    for host in (
        *(f"evil.example:{port}", "evil.example", f"EVIL.example.:{port}", f"127.0.0.1.evil.example:{port}"),
        *(
            f"localhost.evil.example:{port}",
            f"evil.example@{own}",
            f"{own}@evil.example",
            f"{own}/.evil.example",
        ),
        *(f"[::2]:{port}", f"[::1].evil.example:{port}", f"0.0.0.0:{port}", f"2130706433:{port}"),
        *(
            f"127.0.0.1:{port}:80",
            "127.0.0.1:port",
            f"{own}, evil.example",
            "null",
            "*",
            f"192.168.0.1:{port}",
        ),
        *(f"10.0.0.1:{port}", f"%6cocalhost:{port}", f"localhost..:{port}", f".localhost:{port}"),
    ):
        yield Asked(f"foreign name {host}", (host,))
    yield Asked(
        "a rebound name with its own page", (f"evil.example:{port}",), (f"http://evil.example:{port}",)
    )
    for host in (f"evil.example:{port}", "evil.example", f"127.0.0.1@evil.example:{port}", f"[::2]:{port}"):
        yield Asked(f"a whole address of {host}", (own,), target_host=host)
    yield Asked("no name", ())
    yield Asked("an empty name", ("",))
    yield Asked("two names, ours first", (own, "evil.example"))
    yield Asked("two names, ours last", ("evil.example", own))
    for origin in (
        *("http://evil.example", "null", "http://localhost:9999", "http://127.0.0.1:9999", "file://", ""),
        *(f"http://evil.example:{port}", f"http://{own}.evil.example", f"http://evil.example/{own}"),
        *(f"http://{own}@evil.example", f"chrome-extension://{own}"),
    ):
        yield Asked(f"page of {origin or 'nowhere'}", (own,), (origin,))
    yield Asked("two pages", (own,), (f"http://{own}", "http://evil.example"))


def status_of(port: int, path: str, asked: Asked, *, is_websocket: bool = False, target: str = "") -> int:
    """The status that a part answers a request with; 0 if it only hangs up."""
    words = answer(port, path, asked, is_websocket=is_websocket, target=target).split(b" ", 2)
    return int(words[1]) if len(words) > 1 else 0


def answer(port: int, path: str, asked: Asked, *, is_websocket: bool = False, target: str = "") -> bytes:
    """The head of what a part answers, and the beginning of the body."""
    if asked.target_host:
        target = f"http://{asked.target_host}{path}"
    lines = [f"GET {target or path} HTTP/1.1"]
    lines += [f"Host: {host}" for host in asked.hosts] + [f"Origin: {origin}" for origin in asked.origins]
    if is_websocket:
        lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        lines += [f"Sec-WebSocket-Key: {KEY}"]
    else:
        lines += ["Connection: close"]
    with socket.create_connection(("127.0.0.1", port), timeout=90) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        received = b""
        while b"\r\n\r\n" not in received and (piece := connection.recv(65536)):
            received += piece
    return received


def wrongly_answered(
    port: int, path: str, *, is_websocket: bool = False, home: Path | None = None
) -> list[str]:
    """Which requests were let in that must not be, or refused that must not be; none changes a home."""
    found = []
    for asked in requests(port):
        with unchanged(home, but=comes_in) if home else nullcontext():
            status = status_of(port, path, asked, is_websocket=is_websocket)
        if asked.is_let_in != (status in (101, 200, 204, 302, 304, 307)) or status >= 500:
            found.append(f"{asked.says}: {status}")
    return found


# What no application is asked about, and the status that the protocol answers with.
UNASKED = {
    400: b"\0\r\n\r\n",
    431: b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 70_000,
}


def lacking(port: int) -> dict[int, set[str]]:
    """Which of the headers for browsers lack where the protocol answers by itself, by the status."""
    found = {}
    for status, sent in UNASKED.items():
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(sent)
            head = b""
            while b"\r\n\r\n" not in head and (piece := connection.recv(65536)):
                head += piece
        lines = head.partition(b"\r\n\r\n")[0].lower().splitlines()
        assert lines[0].split()[1] == str(status).encode(), lines[0]
        names = {line.partition(b":")[0].decode() for line in lines[1:]}
        found[status] = {*HEADERS, "cache-control"} - names
    return found


def headers_of(port: int, path: str) -> set[str]:
    """Which of the headers for browsers come with an answer."""
    found = httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).headers
    return {name for name in HEADERS if name in found}


async def say_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers 204 to a whole request."""
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@contextmanager
def running(server: uvicorn.Server) -> Iterator[int]:
    """Runs a server in a thread; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
