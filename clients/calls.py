"""Requests to the other services, each of which may be unavailable."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from contracts.errors import ServiceUnavailable


def ask(part: str, method: str, url: str, *, timeout_s: float, **options: Any) -> httpx.Response:
    """Returns the answer to one request, whatever its status.

    Raises: ServiceUnavailable if there is no answer.
    """
    try:
        client = _client(is_loopback=_is_loopback(url))
        return client.request(method, url, timeout=timeout_s, **options)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServiceUnavailable(part, url, str(error) or type(error).__name__) from error


def ask_json(part: str, method: str, url: str, *, timeout_s: float, **options: Any) -> Any:
    """Returns the JSON that a request is answered with.

    Raises: ServiceUnavailable if there is no answer, another status than 2xx, or something that is not JSON.
    """
    response = ask(part, method, url, timeout_s=timeout_s, **options)
    if not response.is_success:
        raise ServiceUnavailable(part, url, f"it answered {response.status_code}")
    return json_of(part, response)


def json_of(part: str, response: httpx.Response) -> Any:
    """Returns the JSON in a response. Raises: ServiceUnavailable if another program answered there."""
    try:
        return response.json()
    except ValueError as error:
        raise ServiceUnavailable(part, str(response.url), "its answer is not JSON") from error


def save(part: str, url: str, file: Path, *, timeout_s: float, **options: Any) -> None:
    """Writes what is answered into a file as it comes.

    Raises: ServiceUnavailable if there is no answer, it breaks off, or it has another status than 2xx.
    """
    try:
        client = _client(is_loopback=_is_loopback(url))
        with client.stream("GET", url, timeout=timeout_s, **options) as response, file.open("wb") as sink:
            if not response.is_success:
                raise ServiceUnavailable(part, url, f"it answered {response.status_code}")
            for piece in response.iter_bytes():
                sink.write(piece)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServiceUnavailable(part, url, str(error) or type(error).__name__) from error


@contextmanager
def understood(part: str, response: httpx.Response) -> Iterator[None]:
    """Reads an answer's fields. Raises: ServiceUnavailable if they are not what the service promises."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        reason = f"its answer is not understood ({type(error).__name__})"
        raise ServiceUnavailable(part, str(response.url), reason) from error


@lru_cache(maxsize=2)
def _client(*, is_loopback: bool) -> httpx.Client:
    """Returns what is kept open: to make one reads all certificates, which takes longer than most answers.

    A proxy from the environment cannot reach this machine's own loopback. No redirect is followed: a body
    with a password, or a token, goes nowhere but to the address that the settings name.
    """
    return httpx.Client(trust_env=not is_loopback, follow_redirects=False)


def client_for(url: str, **options: Any) -> httpx.Client:
    """Returns a client of its own, by the same rules."""
    return httpx.Client(trust_env=not _is_loopback(url), follow_redirects=False, **options)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
