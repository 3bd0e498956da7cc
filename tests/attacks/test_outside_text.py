"""Text from outside acts on nothing: not on a terminal, not in a log, not in a spreadsheet."""

from __future__ import annotations

import csv
import inspect
import io
import json
import logging
import subprocess
import sys
import threading
import tomllib
import unicodedata
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canopy.show import HarmlessConsole
from contracts import errors
from contracts.errors import CanopyError
from contracts.outside import (
    FORMULA,
    MASK,
    OneLine,
    TerminalSink,
    csv_safe,
    log_to_stderr,
    masked,
    masked_text,
    masked_url,
    shown,
    shown_lines,
)
from contracts.stack_settings import PROJECT
from deploy.access.server import bounded_server
from deploy.site.serve import create_app
from tests.attacks.hosts import running
from tests.lake.answered import answer_in
from ui.views.download import csv_of, csv_of_frame

FORGED = "2026-01-01 INFO all is well"
HOSTILE = f"\x1b[2J\x1b[31mPWNED\x1b]0;title\x07\x9b31m\r\n{FORGED}\u202e\u2066\u200b\u2028\x00\ud800"
ACTING = ("Cc", "Cf", "Cs", "Zl", "Zp")

everything = st.text(st.characters(exclude_categories=[]), max_size=200)


def acting(text: str, but: str = "") -> list[str]:
    """Returns the characters that do more than to stand there."""
    return [mark for mark in text if mark not in but and unicodedata.category(mark) in ACTING]


@given(everything, st.integers(1, 50))
def test_what_is_shown_is_one_bounded_line_that_stays_as_it_is(text: str, limit: int) -> None:
    line = shown(text, limit)
    assert not acting(line)
    assert len(line) <= limit
    assert shown(line, limit) == line
    assert "".join(shown(mark, None) for mark in text) == shown(text, None)
    line.encode()


@given(everything)
def test_a_plain_text_is_left_alone(text: str) -> None:
    if not acting(text) and text.isprintable():
        assert shown(text) == text


@given(everything)
def test_of_several_lines_none_but_the_first_stands_at_the_edge(text: str) -> None:
    first, *rest = shown_lines(text).split("\n")
    assert not acting(first)
    assert all(line.startswith("  ") and not acting(line) for line in rest)


@given(everything | st.text("=+-@\t\r \uff1d0123456789.eE|\"'", max_size=12) | st.integers() | st.floats())
def test_no_spreadsheet_finds_a_formula_in_a_value_and_numbers_stay(value: object) -> None:
    safe = csv_safe(value)
    if not isinstance(value, str):
        assert safe is value
        return
    assert isinstance(safe, str)
    assert not acting(safe)
    begin = safe.lstrip(" ")
    if begin.startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")):
        float(begin)


@given(st.lists(st.text("=+-@;\"', a\uff1d", max_size=8), min_size=1, max_size=3))
def test_no_cell_is_a_formula_where_semicolons_separate(row: list[str]) -> None:
    """So does a spreadsheet of a language with decimal commas."""
    text = pd.DataFrame([[csv_safe(cell) for cell in row]]).to_csv(index=False, header=False)
    cells = next(csv.reader(io.StringIO(text), delimiter=";"), [])
    assert not any(cell.lstrip(" ").startswith(FORMULA) for cell in cells)


@pytest.mark.parametrize(
    "text", ["=cmd|'/C calc'!A0", "+1+1", "-1-1", "@SUM(A1)", "\t=1", " =1", "\uff1d1", "--5"]
)
def test_what_begins_as_a_formula_gets_an_apostrophe(text: str) -> None:
    assert str(csv_safe(text)).startswith("'")


@pytest.mark.parametrize("text", ["-5", "+5", "-0.5e3", "-.5", "a=b", "C-1", "", "Neota"])
def test_what_is_no_formula_is_left_alone(text: str) -> None:
    assert csv_safe(text) == text


def test_the_pages_tables_have_no_export_of_their_own() -> None:
    """Streamlit writes it in the browser, a formula as a formula."""
    config = tomllib.loads((PROJECT / "ui" / ".streamlit" / "config.toml").read_text())
    assert config["client"]["disableDataExport"] is True


def test_a_table_to_take_along_has_no_formula_in_names_or_values() -> None:
    frame = pd.DataFrame({"=1": ["=2", "-3"], "number": [-1, 2], "same": [None, "@x"]})
    assert csv_of_frame(frame).decode() == "'=1,number,same\n'=2,-1,\n-3,2,'@x\n"
    assert csv_of([{"a": "=1", "b": HOSTILE}]).decode().count("\n") == 2


def test_an_answer_of_the_lake_as_csv_has_no_formula_and_no_control_character() -> None:
    query = (
        "select '=cmd' as \"a\"\"b\", -5 as n, '-5' as t, chr(27) || '[2J' as esc, ['=x', chr(27)] as l, "
        "null::varchar as nothing, 'plain' as plain, date '2026-01-02' as day"
    )
    header, row = csv.reader(io.StringIO(answer_in(query, "csv").decode()))
    assert header == ['a"b', "n", "t", "esc", "l", "nothing", "plain", "day"]
    assert row == ["'=cmd", "-5", "-5", r"\x1b[2J", r"['=x', \x1b]", "", "plain", "2026-01-02"]


def test_an_answer_of_the_lake_as_json_keeps_every_character() -> None:
    assert json.loads(answer_in("select '=cmd' || chr(27) as a", "json")) == [{"a": "=cmd\x1b"}]


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_a_terminal_is_sent_lines_and_tabs_and_nothing_else_that_acts(pieces: list[bytes]) -> None:
    terminal = io.BytesIO()
    sink = TerminalSink(terminal)
    for piece in pieces:
        sink.write(piece)
    sink.flush()
    assert not acting(terminal.getvalue().decode(), but="\n\t")


def test_what_rich_prints_moves_the_cursor_only_by_itself() -> None:
    written = io.StringIO()
    console = HarmlessConsole(file=written, force_terminal=True, color_system=None, width=400)
    console.print(HOSTILE.encode("utf-8", "replace").decode(), markup=False, highlight=False)
    assert not acting(written.getvalue(), but="\n")


def test_a_record_is_one_line_and_its_traceback_is_indented() -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "said %s", (HOSTILE,), None)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        record.exc_info = sys.exc_info()
    first, *below = OneLine("%(levelname)s %(message)s").format(record).split("\n")
    assert first.startswith("INFO said ")
    assert FORGED in first
    assert below
    assert all(line.startswith("  ") and not acting(line) for line in below)


def test_a_process_log_has_no_forged_line() -> None:
    program = (
        f"import logging, sys\nfrom contracts.outside import {log_to_stderr.__name__}\n"
        "log_to_stderr(logging.INFO, '%(levelname)s %(message)s')\n"
        "logging.getLogger('a.b').info('said %s', sys.argv[1])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, f"\x1b[2J\n{FORGED}"], capture_output=True, check=True
    )
    assert said.stderr.decode() == f"INFO said \\x1b[2J\\n{FORGED}\n"


def _all_errors(kind: type[CanopyError] = CanopyError) -> Iterator[type[CanopyError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _all_errors(child)


def _hostile_argument(annotation: Any) -> Any:
    """Returns the worst value that a parameter of this type can have."""
    name = str(annotation)
    if annotation in (int, float) or name in ("int | None", "float | None"):
        return 3
    if annotation is datetime:
        return datetime(2036, 1, 1, tzinfo=UTC)
    if annotation is Path:
        return Path(HOSTILE.replace("\x00", ""))
    if name.startswith("dict"):
        return {"errors": [{"row": 1, "field": HOSTILE, "value": HOSTILE, "allowed": HOSTILE}]}
    if "Mapping" in name:
        return [{"row": 1, "field": HOSTILE, "value": HOSTILE, "allowed": HOSTILE, "reason": "type"}]
    return [HOSTILE] if name.startswith("list") or "Sequence" in name else HOSTILE


@pytest.mark.parametrize("kind", sorted(set(_all_errors()), key=lambda kind: kind.__name__), ids=str)
def test_every_error_is_harmless_whatever_it_repeats(kind: type[CanopyError]) -> None:
    parameters = inspect.signature(kind.__init__).parameters
    hints = get_type_hints(kind.__init__, vars(errors) | {"Mapping": Mapping, "Sequence": Sequence})
    arguments = [
        _hostile_argument(hints.get(name)) for name in parameters if name in hints and name != "return"
    ]
    message = str(kind(*arguments))
    first, *rest = message.split("\n")
    assert not acting(first)
    assert all(line.startswith("  ") and not acting(line) for line in rest)
    assert kind.has_lines or not rest


class _Hostile(BaseHTTPRequestHandler):
    """A source whose refusals are not meant to be read."""

    detail: ClassVar[str] = HOSTILE.encode("utf-8", "replace").decode()

    def do_GET(self) -> None:
        """Answers 400 with a detail that would repaint a terminal."""
        body = json.dumps({"detail": self.detail}).encode()
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing."""


def test_a_source_paints_no_terminal_and_forges_no_line_in_log_or_event(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hostile) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = subprocess.run(
            [sys.executable, "-m", "canopy", "--verbose", "collect"],
            env={
                "CANOPY_HOME": str(tmp_path),
                "SOURCE_URL": f"http://127.0.0.1:{server.server_address[1]}",
                "PATH": "",
            },
            capture_output=True,
            cwd=tmp_path,
            timeout=120,
        )
        server.shutdown()
    said = asked.stdout.decode() + asked.stderr.decode()
    assert asked.returncode == 3
    assert "PWNED" in said
    assert not acting(said, but="\n")
    assert not any(line.startswith(FORGED) for line in said.splitlines())
    (event,) = tmp_path.rglob("bronze/events/**/*.json")
    assert not acting(json.loads(event.read_bytes())["detail"])


def test_a_request_line_paints_nothing_in_the_log_of_the_pages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(tmp_path, tmp_path, tmp_path)
    server = bounded_server(app, "127.0.0.1", 0, log_level="info")
    with caplog.at_level(logging.INFO), running(server) as port:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/live").close()
        for line in (
            b"/live\x1b[2J\x9bx HTTP/1.0",
            b"/live?\x9b HTTP/1.0",
            b"/live%1b[2J%0a%c2%9bx HTTP/1.1",
        ):
            connection = HTTPConnection("127.0.0.1", port)
            connection.connect()
            connection.sock.sendall(b"GET " + line + b"\r\nHost: 127.0.0.1\r\n\r\n")
            connection.sock.recv(1000)
            connection.close()
    for told in ('"GET /live HTTP/1.1" 200', '"GET /live%1B%5B2J%0A%C2%9Bx HTTP/1.1" 404'):
        assert sum(told in record.getMessage() for record in caplog.records) == 1
    assert not [mark for record in caplog.records for mark in acting(record.getMessage())]


SECRETS = {
    "SOURCE_PARAMETERS": {"api_key": "marker", "day": "marker"},
    "SOURCE_DAYS_PARAMETERS": {"x": "marker"},
    "LAKE_S3_SECRET_ACCESS_KEY": "marker",
    "SOURCE_URL": "http://marker:marker@host/?key=marker",
    "LAKE_CATALOG": "postgres:host=h user=u password='marker of two' dbname=x",
    "ALERT_URLS": "slack://marker/marker",
    "MLFLOW": "postgresql+psycopg://mlflow:marker/@?ma:marker@host/db",
}


@pytest.mark.parametrize(("name", "value"), SECRETS.items())
def test_a_secret_is_masked_by_its_name_or_its_form(name: str, value: object) -> None:
    assert "marker" not in str(masked(name, value))
    assert MASK in str(masked(name, value)) or "@" not in str(masked(name, value))


def test_what_is_no_secret_is_shown() -> None:
    assert masked("SOURCE_GROUPS", "1,2,x") == "1,2,x"
    assert masked("MONKEY", 5) == 5
    assert masked_text("host=h user=u dbname=x") == "host=h user=u dbname=x"
    assert masked_url("http://h:1/data?group_number=1&day=x", ["group_number"]) == (
        f"http://h:1/data?group_number=1&day={MASK}"
    )
