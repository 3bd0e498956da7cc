"""Requests for files that no part of a stack hands out, as they are sent on the wire."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote


class Answer(NamedTuple):
    """What a part answers.

    Attributes:
        status: Its number.
        text: The body.
        headers: By their names in lower case.
    """

    status: int
    text: str
    headers: dict[str, str]


def ask(
    port: int,
    method: str,
    target: str,
    *,
    sign_in: tuple[str, str] | None = None,
    body: Any = b"",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Sends a request whose path stays as it is written: other clients take the `..` out of it.

    Args:
        port: Of this machine.
        method: As HTTP has it.
        target: Path and query.
        sign_in: An account and its password.
        body: Bytes, or what becomes JSON.
        headers: More of them.
    """
    given = dict(headers or {})
    if not isinstance(body, bytes):
        body, given = json.dumps(body).encode(), {"Content-Type": "application/json"} | given
    if sign_in:
        given["Authorization"] = f"Basic {base64.b64encode(':'.join(sign_in).encode()).decode()}"
    connection = HTTPConnection("127.0.0.1", port, timeout=90)
    try:
        connection.request(method, target, body, given)
        reply = connection.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        return Answer(reply.status, reply.read().decode(errors="replace"), found)
    finally:
        connection.close()


def outside_paths(file: Path, folder: Path) -> Iterator[str]:
    """Gives ways to name a file from a folder that it is not in: up, packed, whole, and as an address."""
    up = "../" * len(folder.relative_to(file.parent).parts) + file.name
    yield up
    yield f"a/../{up}"
    yield up.replace("/", "%2f")
    yield up.replace("..", "%2e%2e")
    yield up.replace("..", "%252e%252e")
    yield up.replace("/", "%5c")
    yield str(file)
    yield quote(str(file), safe="")
    yield f"/{file}"
    yield f"file:{file}"
    yield file.as_uri()
    yield quote(file.as_uri(), safe="")
