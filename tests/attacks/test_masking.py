"""A secret is in no message, file, event or log, whatever goes wrong with the setting that holds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from clients.calls import ask
from contracts.errors import ServiceUnavailable, SettingsInvalid
from contracts.outside import MASK, masked_text
from contracts.settings import Settings, variable
from deploy.settings_classes import settings_classes
from lake.objects import open_objects
from lake.settings import LakeSettings
from source.collect import collect
from source.settings import SourceSettings
from tests.canopy.told import said_of
from tests.source import test_response
from tests.source.conftest import BrokenService, Reply, broken_service, impatient
from tests.source.test_response import body
from ui.reading.runs import run_now, sign_in
from ui.settings import UiSettings

__all__ = ["broken_service"]

Start = Callable[..., BrokenService]
SECRET = "marker-5ecret"
SHAPES = [
    SECRET,
    f"http://someone:{SECRET}@host:1/x",
    f"postgres:host=h password={SECRET} user=u",
    f'{{"api_key": "{SECRET}"}}',
    f'{{"Authorization": "Bearer {SECRET}\\n"}}',
    f"http://host/?key={SECRET}",
]
SETTINGS = [
    (kind, name, field) for kind in settings_classes() for name, field in kind.model_fields.items()
]  # fmt: skip
# Names whose value is no secret in any form: a person is shown what they wrote.
PLAIN_SHAPES = SHAPES[1:]


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return LakeSettings(uri=str(tmp_path / "lake"), catalog=f"sqlite:{tmp_path / 'catalog.sqlite'}")


@pytest.fixture(autouse=True)
def own_incoming_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_INCOMING", str(tmp_path / "incoming"))


@pytest.mark.parametrize(
    ("kind", "name", "field"), SETTINGS, ids=lambda value: getattr(value, "__name__", str(value))[:40]
)
def test_no_error_about_a_setting_repeats_a_secret(
    kind: type[Settings], name: str, field: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = variable(kind, name, field)  # type: ignore[arg-type]
    is_secret = "SecretStr" in str(kind.model_fields[name].annotation) or called == "ALERT_URLS"
    for value in SHAPES if is_secret else PLAIN_SHAPES:
        monkeypatch.setenv(called, value)
        assert SECRET not in said_of(kind)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="ascii"), min_size=4, max_size=20))
def test_no_header_that_http_does_not_allow_is_repeated(value: str) -> None:
    secret = f"{SECRET}{value}"
    if value.isprintable() and not value.endswith(" "):
        taken = SourceSettings(headers={"X-Key": SecretStr(secret)})
        assert SECRET not in repr(taken)
        assert taken.secret_headers() == {"X-Key": secret}
        return
    with pytest.raises(SettingsInvalid) as refused:
        SourceSettings(headers={"X-Key": SecretStr(secret)})
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("content", ["{", "[]", '{"X": 5}', f'{{"X": "{SECRET}\\n"}}', f"{SECRET}"])
def test_a_file_of_headers_that_cannot_be_used_is_named_without_its_content(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "headers.json"
    file.write_text(content)
    with pytest.raises(SettingsInvalid, match=r"headers\.json") as refused:
        SourceSettings(headers_file=file).secret_headers()
    assert SECRET not in str(refused.value)


def test_what_is_sent_in_confidence_is_nowhere_in_the_home_nor_in_what_is_said(
    broken_service: Start, lake: LakeSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    replies = [
        Reply(body=body([list(test_response.ROW)])),
        Reply(403, json.dumps({"detail": f"the key {SECRET} and Bearer {SECRET}-h are not known"}).encode()),
        Reply(500, f"no {SECRET}".encode()),
    ]
    headers = tmp_path / "secrets.json"
    headers.write_text(json.dumps({"Authorization": f"Bearer {SECRET}-h"}))
    service = broken_service(*replies)
    url = service.url.replace("http://", f"http://someone:{SECRET}-p@")
    source = impatient(url, parameters={"api_key": SECRET}, headers_file=headers, attempts=1)
    said = [repr(source)]
    with caplog.at_level("DEBUG", logger="source"):
        for _ in replies:
            collected = collect([source], lake)
            said += [str(collected)]
    assert f"api_key={SECRET}" in service.asked[0]
    headers.unlink()
    assert SECRET not in caplog.text + "".join(said)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file
    (rows,) = open_objects(lake).keys("bronze/rows")
    assert f"api_key={MASK}".encode() in open_objects(lake).read(rows)


def test_the_command_masks_a_setting_that_cannot_work(tmp_path: Path) -> None:
    for name, value in (("SOURCE_PARAMETERS", f"{{{SECRET}"), ("SOURCE_URL", f"ftp://a:{SECRET}@h")):
        environment = os.environ | {"CANOPY_HOME": str(tmp_path), name: value}
        ended = subprocess.run(
            [sys.executable, "-m", "canopy", "collect"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode != 0
        assert "Traceback" not in ended.stderr
        assert SECRET not in ended.stdout + ended.stderr


class _Elsewhere(BaseHTTPRequestHandler):
    """Sends whoever asks to another path of its own, and writes down what it is sent."""

    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Redirects."""
        self.seen.append(self.path)
        self.send_response(307)
        self.send_header("Location", "/stolen")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


def test_no_password_or_token_follows_a_redirect() -> None:
    server = HTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        parts = UiSettings(airflow_url=f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(ServiceUnavailable, match="307"):
            sign_in(parts, "someone", SECRET)
        with pytest.raises(ServiceUnavailable, match="307"):
            run_now(parts, SECRET, "collect")
        assert ask("x", "GET", f"{parts.airflow_url}/y", timeout_s=5).status_code == 307
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert "/stolen" not in _Elsewhere.seen


@pytest.mark.parametrize(
    "said",
    [
        *("AWS_SECRET_ACCESS_KEY={}", "secret_access_key = '{}'", "aws_session_token: {}"),
        *("{{'x-api-key': '{}'}}", "X-Api-Key: {}", "private_key={}", "client_secret={}"),
    ],
)
def test_a_secret_within_a_text_is_masked_by_the_end_of_its_name(said: str) -> None:
    shown = masked_text(said.format(SECRET))
    assert SECRET not in shown
    assert MASK in shown


@pytest.mark.timeout(120)
@pytest.mark.parametrize("part", ["secret", "a_", "api-", "://"])
def test_a_long_text_is_masked_in_one_pass(part: str) -> None:
    """Not once more from each word, which would take minutes."""
    text = part * 100_000
    assert masked_text(f"{text} password={SECRET}") == f"{text} password={MASK}"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("https://h/x?key=abc#def", "https://h/x?key=***#***"),
        ("https://h/#topsecret", "https://h/#***"),
        ("https://h/x#/docs", "https://h/x#/docs"),
        ("https://h/x?url=file:///etc", "https://h/x?url=***"),
        ("file:///lake/x", "file:///lake/x"),
    ],
)
def test_what_follows_the_mark_of_an_address_is_shown_where_it_is_a_path_only(said: str, shown: str) -> None:
    assert masked_text(said) == shown
