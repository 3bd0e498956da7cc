"""`canopy sql`: a shell at a real terminal, and one question as people and programs put it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from lake.settings import LakeSettings
from tests.lake.landed import lake_in
from tests.lake.published import fill_with_numbers, publish_after
from tests.lake.stores import lake_in_s3, s3_service

Canopy = Callable[..., subprocess.CompletedProcess[str]]
SQL = [sys.executable, "-m", "canopy", "sql"]
PROMPT = "lake.* D "
SUM = "select sum(number) as total from gold.numbers"
WIDE = "select " + ", ".join(f"{number} as column_{number}" for number in range(40))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeSettings:
    return fill_with_numbers(lake_in(tmp_path_factory.mktemp("asked")))


@pytest.fixture
def environment(environment: dict[str, str], lake: LakeSettings) -> dict[str, str]:
    return environment | {"LAKE_URI": lake.uri, "LAKE_CATALOG": lake.catalog, "TERM": "xterm"}


class Shell:
    """`canopy sql` at a terminal, left in the end."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.terminal = pexpect.spawn(
            SQL[0],
            [*SQL[1:], *arguments],
            env=environment,  # type: ignore[arg-type]
            encoding="utf-8",
            dimensions=(40, 120),
            timeout=20,
        )

    def __enter__(self) -> Shell:
        self.terminal.delaybeforesend = None
        self.terminal.expect(PROMPT)
        self.greeting = str(self.terminal.before)
        self.say(".mode csv", PROMPT)
        return self

    def __exit__(self, *failure: object) -> None:
        if failure[0] is None:
            self.say(".quit", pexpect.EOF)
        self.terminal.close(force=True)

    def type(self, text: str) -> None:
        """As people type: what comes at once is a paste, in which a tab is a tab."""
        for character in text:
            time.sleep(0.01)
            self.terminal.send(character)

    def say(self, line: str, wanted: Any) -> str:
        """Types a line, and waits for something in the answer; what came before it."""
        self.terminal.send(f"{line}\r")
        self.terminal.expect(wanted)
        return str(self.terminal.before)


def test_a_shell_answers_from_what_is_published(environment: dict[str, str]) -> None:
    with Shell(environment) as shell:
        assert "publication 2" in shell.greeting
        shell.say(f"{SUM};", r"total\s+10\s")
    assert shell.terminal.exitstatus == 0


@pytest.mark.long
def test_a_shell_completes_names_and_remembers_what_was_typed_before(environment: dict[str, str]) -> None:
    with Shell(environment) as shell:
        shell.type("select max(number) from gold.num")
        time.sleep(0.3)
        shell.terminal.send("\t")
        time.sleep(0.5)
        shell.say(";", r"max\(number\)\s+4\s")
    with Shell(environment) as shell:
        shell.terminal.send("\x1b[A")  # .mode csv
        for _ in range(2):
            time.sleep(0.3)
            shell.terminal.send("\x1b[A")  # .quit, and the query
        time.sleep(0.3)
        shell.say("", r"max\(number\)\s+4\s")
    history = Path(environment["CANOPY_HOME"], "sql_history")
    assert "from gold.numbers;" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_a_shell_reads_only_and_stays_where_it_is(environment: dict[str, str], tmp_path: Path) -> None:
    lake = fill_with_numbers(lake_in(tmp_path))
    environment |= {"LAKE_URI": lake.uri, "LAKE_CATALOG": lake.catalog}
    with Shell(environment) as pinned, Shell(environment, "--head") as newest:
        publish_after(lake, "insert into gold.numbers values (100)")
        pinned.say(f"{SUM};", r"total\s+10\s")
        newest.say(f"{SUM};", r"total\s+10\s")  # as it was when the shell opened
        with Shell(environment, "--head") as later:
            later.say(f"{SUM};", r"total\s+110\s")
        pinned.say("delete from gold.numbers;", "read-only mode")


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # botocore leaves its sockets to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_a_shell_reads_from_a_store_without_giving_its_keys_away(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with s3_service() as url:
        lake = fill_with_numbers(lake_in_s3(url, tmp_path))
        secret = "kept-key-of-the-store"
        environment |= {
            "LAKE_URI": lake.uri,
            "LAKE_CATALOG": lake.catalog,
            "LAKE_S3_ENDPOINT_URL": url,
            "LAKE_S3_ACCESS_KEY_ID": "key",
            "LAKE_S3_SECRET_ACCESS_KEY": secret,
        }
        with Shell(environment) as shell:
            shell.say(f"{SUM};", r"total\s+10\s")
            assert secret not in Path(f"/proc/{shell.terminal.pid}/cmdline").read_text()
            assert secret not in shell.greeting + shell.say("from duckdb_secrets();", "redacted")
        kept = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert [file.name for file in kept if secret.encode() in file.read_bytes()] == []


def test_a_shell_needs_something_published_and_takes_no_output(
    environment: dict[str, str], tmp_path: Path
) -> None:
    nothing = environment | {"LAKE_CATALOG": f"sqlite:{tmp_path}/nothing.sqlite"}
    for arguments, given, status, says in (
        ([], nothing, 4, "canopy refine"),
        (["--at", "4711"], environment, 4, "There is no snapshot '4711'"),
        (["--json"], environment, 2, "add a query"),
    ):
        terminal = pexpect.spawn(SQL[0], [*SQL[1:], *arguments], env=given, encoding="utf-8", timeout=30)  # type: ignore[arg-type]
        terminal.expect(says)
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == status


def test_an_answer_is_a_table_for_people_and_whole_for_programs(canopy: Canopy) -> None:
    assert "│     10 │" in canopy("sql", SUM).stdout
    records = json.loads(canopy("sql", "from gold.numbers where number > 2", "--json").stdout)
    assert records == [{"number": 3}, {"number": 4}]


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_a_query_comes_through_standard_input(
    environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    ended = subprocess.run(
        [*SQL, *arguments, "-f", "csv"],
        env=environment,
        input="-- two lines\nselect number\nfrom gold.numbers where number < 1; -- the end",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout == "number\n0\n"


@pytest.mark.parametrize("asked", [{"at_once": True}, {}], ids=["as an argument", "through standard input"])
def test_a_file_is_looked_for_where_the_person_is_and_at_home(
    environment: dict[str, str], tmp_path: Path, asked: dict[str, bool]
) -> None:
    (tmp_path / "mine.csv").write_text("found\n1\n")
    query = "select * from read_csv('mine.csv') union all from 'mine.csv' union all from '~/mine.csv'"
    ended = subprocess.run(
        [*SQL, *([query] if asked else []), "-f", "csv"],
        env=environment | {"HOME": str(tmp_path)},
        cwd=tmp_path,
        input="" if asked else query,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.stdout, ended.stderr) == ("found\n1\n1\n1\n", "")


def test_a_name_does_not_start_at_the_root(canopy: Canopy, tmp_path: Path) -> None:
    query = "select count(*) as files from read_text('etc/hostname')"
    assert canopy("sql", query, "-f", "csv", cwd=tmp_path).stdout == "files\n0\n"


@pytest.mark.parametrize("name", ["nowhere/x.csv", "folder.csv", "a_file/x.csv"])
def test_where_nothing_can_be_written_is_said_before_anything_is_asked(
    canopy: Canopy, tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "a_file").touch()
    ended = canopy("sql", "from range(1_000_000_000_000)", "--output", name, cwd=tmp_path)
    assert ended.returncode != 0
    assert f"{name} cannot be used" in ended.stderr
    assert ".part" not in ended.stderr


def test_a_time_beyond_the_calendar_is_named(canopy: Canopy) -> None:
    for at in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9" * 5000):
        ended = canopy("sql", "select 1", "--at", at)
        assert ended.returncode == 4
        assert f"There is no snapshot '{at[:20]}" in ended.stderr


def test_whole_numbers_of_128_bits_are_written_whole(canopy: Canopy, tmp_path: Path) -> None:
    number = 12345678901234567890123
    query = f"select {number}::hugeint as one, sum(n) as n from (values (9007199254740993), (2)) t (n)"
    for name in ("a.parquet", "a.csv", "a.json"):
        assert "1 rows" in canopy("sql", query, "-o", str(tmp_path / name)).stdout
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == [{"one": number, "n": 9007199254740995}]
    assert (tmp_path / "a.csv").read_text() == f"one,n\n{number},9007199254740995\n"
    assert json.loads((tmp_path / "a.json").read_text()) == [{"one": number, "n": 9007199254740995}]


def test_a_stream_begins_at_once_ends_with_its_reader_and_keeps_what_was_there(
    environment: dict[str, str], tmp_path: Path
) -> None:
    endless = subprocess.Popen(
        [*SQL, "from range(1_000_000_000_000)", "-f", "csv"], env=environment, stdout=subprocess.PIPE
    )
    assert endless.stdout
    with endless.stdout as stream:
        assert [stream.readline() for _ in range(3)] == [b"range\n", b"0\n", b"1\n"]
    assert endless.wait(timeout=30) == 141  # as one that SIGPIPE has ended
    file = tmp_path / "log.csv"
    with file.open("w") as log:
        for query in ("select 1 as first", "select 2 as second"):
            subprocess.run([*SQL, query, "-f", "csv"], env=environment, stdout=log, check=True, timeout=60)
    assert file.read_text() == "first\n1\nsecond\n2\n"


@pytest.mark.parametrize("form", ["table", "json", "csv", "parquet"])
def test_whoever_leaves_before_the_answer_is_told_nothing(environment: dict[str, str], form: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [*SQL, SUM, "-f", form],
            env=environment,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_a_file_is_written_in_the_format_that_its_name_ends_in_or_that_is_asked_for(
    canopy: Canopy, tmp_path: Path
) -> None:
    query, wanted = "from gold.numbers order by 1", [{"number": number} for number in range(5)]
    assert "5 rows" in canopy("sql", query, "-o", str(tmp_path / "it's.parquet")).stdout
    assert pq.read_table(tmp_path / "it's.parquet").to_pylist() == wanted
    assert "5 rows" in canopy("sql", query, "-o", str(tmp_path / "a.txt"), "-f", "csv").stdout
    assert pyarrow.csv.read_csv(tmp_path / "a.txt").to_pylist() == wanted
    refused = canopy("sql", query, "-o", str(tmp_path / "a.xlsx"))
    assert refused.returncode == 2
    assert ".csv, .json, .parquet" in refused.stderr


@pytest.mark.parametrize("query", ["delete from gold.numbers", "from gold.nowhere"])
def test_what_cannot_be_answered_is_one_message(canopy: Canopy, query: str) -> None:
    ended = canopy("sql", query, "--format", "csv")
    assert (ended.returncode, ended.stdout) == (4, "")
    assert repr(query) in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr


def test_a_wide_table_can_be_read_at_a_terminal(environment: dict[str, str]) -> None:
    one = at_terminal(environment, WIDE)
    assert all(f"column_{number} " in one for number in range(40))
    two = at_terminal(environment, f"{WIDE} from range(2)")
    assert "40 columns (" in two
    for text in (one, two):
        assert max(len(line) for line in text.splitlines() if line.startswith("│")) <= 80, text
    assert "not for a terminal" in at_terminal(environment, "select 1", "--format", "parquet")


def at_terminal(environment: dict[str, str], *arguments: str) -> str:
    """What a terminal of 80 columns shows."""
    given = {name: value for name, value in environment.items() if name != "COLUMNS"}
    shown, _ = pexpect.run(
        " ".join(map(shlex.quote, [*SQL, *arguments])),
        env=given,
        encoding="utf-8",
        withexitstatus=True,
        timeout=30,
    )
    return str(shown)


@pytest.mark.long
@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_query_that_takes_seconds_sends_its_answer_and_nothing_else(canopy: Canopy, form: str) -> None:
    """DuckDB draws a bar from 2 s on, into what a program reads."""
    slow = "select count(*) as found from range(400000000) as numbers (number) where hash(number) % 7 = 3"
    done = canopy("sql", slow, "--format", form)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)[0]["found"] if form == "json" else int(done.stdout.split()[1])
    assert 57_000_000 < found < 57_300_000
    assert set(done.stdout) <= set('[]{}":\t\n\r found0123456789')
