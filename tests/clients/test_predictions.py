"""The client and `canopy predict`, `canopy keys` against a real service."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from canopy.cli import app
from clients.predictions import PredictionClient
from contracts.covertype import covertype
from contracts.errors import OutputUnknown, PredictionRefused, RowsUnreadable, ServiceUnavailable
from contracts.prediction import example_row
from tests.attacks.state import fingerprint
from tests.tabular import people
from tests.ui.parts import free_port, serving

ROW = example_row(covertype())
ROWS = json.dumps(ROW) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with serving(folder) as address:
        yield address


@pytest.fixture
def client(url: str, folder: Path) -> Iterator[PredictionClient]:
    with PredictionClient(url, (folder / "predict.key").read_text().strip()) as opened:
        yield opened


def test_rows_and_files_are_answered_alike(client: PredictionClient, tmp_path: Path) -> None:
    answer = client.predict([ROW, ROW])
    assert answer.model.version == client.model().version == "3"
    assert [one.cover_type for one in answer.predictions] == [answer.predictions[0].cover_type] * 2
    pq.write_table(pa.Table.from_pylist([ROW, ROW]), tmp_path / "cells.parquet")
    assert client.predict_file(tmp_path / "cells.parquet", tmp_path / "answers.parquet") > 0
    told = pq.read_table(tmp_path / "answers.parquet")["cover_type"].to_pylist()
    assert told == [one.cover_type for one in answer.predictions]


def test_a_persons_files_are_answered_and_refused_by_row_and_value(
    client: PredictionClient, tmp_path: Path
) -> None:
    rows, answers = people.cells(9), tmp_path / "ANSWERS.CSV"
    text = people.as_csv(rows, ";", text=lambda value: f"{value},0" if isinstance(value, int) else value)
    (tmp_path / "CELLS.CSV.GZ").write_bytes(people.packed(text.encode("utf-16")))
    assert client.predict_file(tmp_path / "CELLS.CSV.GZ", answers) > 0
    told = [line.split(",")[0] for line in answers.read_text().splitlines()]
    assert told == ['"row"', *map(str, range(1, 10))]
    extra = people.with_column(people.changed(rows, 8, elevation_m=None), "", int, is_first=True)
    (tmp_path / "cells").write_text(people.as_csv(extra))
    with pytest.raises(PredictionRefused) as refused:
        client.predict_file(tmp_path / "cells", answers)
    assert "422: Nothing was predicted: in row 8, elevation_m is missing; allowed" in str(refused.value)
    (tmp_path / "cells").write_text("a;b\n1;2\n")
    with pytest.raises(
        PredictionRefused, match=r"lacks the columns elevation_m, .* columns 'a', 'b'"
    ) as refused:
        client.predict_file(tmp_path / "cells", answers)
    assert len(str(refused.value)) < 700


def test_what_is_refused_is_said_in_the_services_words(
    client: PredictionClient, url: str, tmp_path: Path
) -> None:
    with pytest.raises(PredictionRefused, match="row 1, slope_deg=110; allowed is integer from 0 to 90"):
        client.predict([{**ROW, "slope_deg": 110}])
    with (
        pytest.raises(PredictionRefused, match="401: The API key is not known here"),
        PredictionClient(url, "x" * 30) as stranger,
    ):
        stranger.model()
    with pytest.raises(OutputUnknown, match=r"written to \S+x\.xlsx: its name must end in \.csv"):
        client.predict_file(tmp_path / "cells.csv", tmp_path / "x.xlsx")
    with pytest.raises(ServiceUnavailable), PredictionClient(f"http://127.0.0.1:{free_port()}", "") as lost:
        lost.model()


def test_the_commands_make_list_and_revoke_keys(tmp_path: Path) -> None:
    os.environ["CANOPY_HOME"] = str(tmp_path)
    run = CliRunner()
    made = json.loads(run.invoke(app, ["keys", "add", "--name", "team", "--scope", "admin", "--json"]).stdout)
    assert made["scopes"] == "admin"
    assert made["key"] not in (tmp_path / "keys.json").read_text()
    assert run.invoke(app, ["keys", "revoke", made["key_id"]]).exit_code == 0
    (listed,) = json.loads(run.invoke(app, ["keys", "list", "--json"]).stdout)
    assert (listed["key_id"], listed["name"]) == (made["key_id"], "team")
    assert listed["revoked_at"].endswith("UTC")
    assert run.invoke(app, ["keys", "revoke", "00000000"]).exit_code != 0


# What `predict_file` writes: never over what it reads, and never half of it.


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "cells.jsonl"
    file.write_text(ROWS)
    return file


SAME: dict[str, Callable[[Path], Path]] = {
    "the same name": lambda rows: rows,
    "another way to it": lambda rows: rows.parent / "elsewhere" / ".." / rows.name,
    "a link": lambda rows: rows.with_name("link.jsonl"),
    "a hard link": lambda rows: rows.with_name("hard.jsonl"),
}


@pytest.mark.parametrize("what", SAME)
def test_answers_are_not_written_over_the_rows(client: PredictionClient, rows: Path, what: str) -> None:
    (rows.parent / "elsewhere").mkdir()
    rows.with_name("link.jsonl").symlink_to(rows)
    rows.with_name("hard.jsonl").hardlink_to(rows)
    before = fingerprint(rows.parent)
    with pytest.raises(RowsUnreadable, match="the answers would be written over them") as refused:
        client.predict_file(rows, SAME[what](rows))
    assert "\n" not in str(refused.value)
    assert fingerprint(rows.parent) == before


@pytest.fixture
def asking(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line, with the service that answers here."""
    monkeypatch.setenv("CANOPY_SERVING_PORT", url.rpartition(":")[2])
    monkeypatch.setenv("CANOPY_SERVING_KEY_FILE", str(folder / "predict.key"))
    return CliRunner()


def rows_in(answers: Path) -> int:
    return len(answers.read_text().splitlines()) - 1


SENT = {
    "rows": (lambda content: content, "rows.json"),
    "packed": (people.packed, "rows.json.gz"),
    "packed, by another name": (people.packed, "rows.gz"),
    "UTF-16": (lambda content: content.decode().encode("utf-16"), "rows.json"),
    "the name of another kind": (lambda content: content, "rows.csv"),
}


@pytest.mark.parametrize("what", SENT)
def test_the_command_sends_a_file_as_what_it_is(asking: CliRunner, tmp_path: Path, what: str) -> None:
    written, name = SENT[what]
    (tmp_path / name).write_bytes(written(json.dumps(people.cells(3)).encode()))
    done = asking.invoke(app, ["predict", str(tmp_path / name), "-o", str(tmp_path / "answers.csv")])
    assert done.exit_code == 0, done.exception
    assert rows_in(tmp_path / "answers.csv") == 3


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_standard_input_is_answered_into_a_file(asking: CliRunner, tmp_path: Path, kind: str) -> None:
    written = {"csv": people.as_csv, "jsonl": people.as_lines, "parquet": people.as_parquet}[kind]
    content, answers = written(people.cells(3)), tmp_path / "answers.csv"
    done = asking.invoke(app, ["predict", "-", "--output", str(answers)], input=content)
    assert done.exit_code == 0, done.exception
    assert rows_in(answers) == 3


def test_standard_input_that_is_refused_is_named(asking: CliRunner, tmp_path: Path) -> None:
    done = asking.invoke(
        app, ["predict", "-", "-o", str(tmp_path / "a.csv")], input=b"PK\x03\x04" + bytes(99)
    )
    assert "The rows in standard input cannot be used: it is a workbook" in str(done.exception)


def test_rows_at_standard_input_are_not_written_over(rows: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "canopy", "predict", "-", "-o", str(rows)]
    with rows.open() as given:
        ended = subprocess.run(
            command, env=environment, stdin=given, capture_output=True, text=True, timeout=60
        )
    assert ended.returncode != 0
    assert "would be written over them" in ended.stderr
    assert rows.read_text() == ROWS


def test_one_cell_of_gold_is_answered_into_a_file_too(
    asking: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("canopy.screens.predict.rows_from", lambda file: [ROW] if file is None else [])
    done = asking.invoke(app, ["predict", "--output", str(tmp_path / "x.csv")])
    assert done.exit_code == 0, done.exception
    assert rows_in(tmp_path / "x.csv") == 1


@pytest.mark.parametrize("name", ["nowhere/a.csv", "folder.csv", "cells.jsonl/a.csv"])
def test_a_place_for_answers_is_looked_at_before_anything_is_sent(
    rows: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(rows.parent)
    Path("folder.csv").mkdir()
    monkeypatch.setenv("CANOPY_SERVING_PORT", str(free_port()))  # nobody answers
    for given in ([], ["-"], [rows.name]):
        done = CliRunner().invoke(app, ["predict", *given, "-o", name])
        assert isinstance(done.exception, OSError)
        assert done.exception.filename == name


def test_the_command_says_it_in_one_sentence(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANOPY_SERVING_PORT", str(free_port()))
    done = CliRunner().invoke(app, ["predict", str(rows), "--output", str(rows)])
    assert isinstance(done.exception, RowsUnreadable)
    assert rows.read_text() == ROWS


def test_answers_that_do_not_fit_on_the_disk_leave_what_was_there(
    client: PredictionClient, rows: Path
) -> None:
    answers = rows.with_name("answers.csv")
    answers.write_text("of yesterday")
    before = fingerprint(rows.parent)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            client.predict_file(rows, answers)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert fingerprint(rows.parent) == before


def test_answers_go_where_a_link_leads_and_into_what_is_no_file(client: PredictionClient, rows: Path) -> None:
    link, kept = rows.with_name("link.csv"), rows.with_name("kept.csv")
    link.symlink_to(kept)
    assert client.predict_file(rows, link) == kept.stat().st_size > 100
    assert link.is_symlink()
    rows.with_name("nothing.csv").symlink_to("/dev/null")
    assert client.predict_file(rows, rows.with_name("nothing.csv")) > 100
    assert Path("/dev/null").is_char_device()


def test_a_service_that_is_away_leaves_what_was_there(rows: Path) -> None:
    answers = rows.with_name("answers.csv")
    answers.write_text("of yesterday")
    before = fingerprint(rows.parent)
    with (
        pytest.raises(ServiceUnavailable),
        PredictionClient(f"http://127.0.0.1:{free_port()}", "") as lost,
    ):
        lost.predict_file(rows, answers)
    assert fingerprint(rows.parent) == before
