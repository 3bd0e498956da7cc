"""Alerts reach a real web server and a real mail server, and an address that fails stops nobody."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr

from expectations.alerts import Alert, send
from expectations.settings import AlertSettings

# Some of Apprise's 180 channels use what Python will drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FAILURE = Alert("Canopy: the audit failed", ["slope_deg=110", "Held back: 20261122"], is_failure=True)
WARNING = Alert("Canopy: one warning", ["psi=0.3"], is_failure=False)


def settings(*urls: str, timeout_s: float = 15.0) -> AlertSettings:
    return AlertSettings(_env_file=None, urls=SecretStr(" ".join(urls)), timeout_s=timeout_s)


@contextmanager
def web_server(status: int = 200) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    taken: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append({"path": self.path, **json.loads(body)})
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1], taken
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def mail_server() -> Iterator[tuple[int, list[Any]]]:
    taken: list[Any] = []

    class Keep:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            taken.append(envelope)
            return "250 OK"

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(Keep(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port, taken
    finally:
        controller.stop()


@contextmanager
def silent_server() -> Iterator[int]:
    """It accepts every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        yield server.getsockname()[1]


def test_by_default_the_log_is_told(caplog: pytest.LogCaptureFixture) -> None:
    send(FAILURE, AlertSettings(_env_file=None, urls=None))
    send(WARNING, AlertSettings(_env_file=None, urls=None))
    failure, warning = caplog.records
    assert (failure.levelno, warning.levelno) == (logging.ERROR, logging.WARNING)
    assert "the audit failed" in failure.getMessage()
    assert "slope_deg=110; Held back: 20261122" in failure.getMessage()


def test_a_webhook_gets_failures_and_warnings(caplog: pytest.LogCaptureFixture) -> None:
    with web_server() as (port, taken):
        for alert in (FAILURE, WARNING):
            send(alert, settings(f"json://127.0.0.1:{port}/hook"))
    assert [(alert["path"], alert["title"], alert["type"]) for alert in taken] == [
        ("/hook", "Canopy: the audit failed", "failure"),
        ("/hook", "Canopy: one warning", "warning"),
    ]
    assert taken[0]["message"] == "slope_deg=110\nHeld back: 20261122"
    assert "alert_failed" not in caplog.text


def test_a_mail_says_what_was_found(caplog: pytest.LogCaptureFixture) -> None:
    with mail_server() as (port, taken):
        send(FAILURE, settings(f"mailto://127.0.0.1:{port}/?from=canopy@example.org&to=a@example.org"))
    assert [envelope.rcpt_tos for envelope in taken] == [["a@example.org"]]
    mail = message_from_bytes(taken[0].content, policy=default)
    assert mail["Subject"] == "Canopy: the audit failed"
    body = mail.get_body(("plain", "html"))
    assert body is not None
    assert "slope_deg=110" in body.get_content()
    assert "alert_failed" not in caplog.text


def test_an_address_that_fails_is_logged_without_its_password_and_the_others_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with web_server() as (port, taken), web_server(status=500) as (broken, _):
        send(
            FAILURE,
            settings(
                "nonsense://user:word-of-mouth@127.0.0.1/",
                "json://user:word-of-mouth@127.0.0.1:9/nobody-listens",
                f"json://user:word-of-mouth@127.0.0.1:{broken}/",
                f"json://127.0.0.1:{port}/",
            ),
        )
    assert len(taken) == 1
    failed = [record.getMessage() for record in caplog.records if "alert_failed" in record.getMessage()]
    assert [text.partition(" of ")[0] for text in sorted(failed)] == [
        f"alert_failed address={place}" for place in (1, 2, 3)
    ]
    assert "word-of-mouth" not in caplog.text


def test_an_address_that_does_not_answer_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    with silent_server() as port, web_server() as (hook, taken):
        send(WARNING, settings(f"json://127.0.0.1:{hook}/"))  # loads Apprise's channels
        began = time.monotonic()
        urls = (
            f"mailto://127.0.0.1:{port}/?from=a@example.org&to=a@example.org",
            f"json://127.0.0.1:{hook}/",
        )
        send(FAILURE, settings(*urls, timeout_s=1.0))
        assert time.monotonic() - began < 10
    assert len(taken) == 2
    assert "address=1 of ALERT_URLS: it took longer than 1 s" in caplog.text
    _wait_for_threads()


def _wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("alert-"):
            thread.join(20)


def test_an_address_is_a_secret() -> None:
    assert "word-of-mouth" not in repr(settings("json://user:word-of-mouth@127.0.0.1/"))
