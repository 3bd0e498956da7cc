"""What a question of the page, or at the command line, could do to a lake: change, read, stop or fill it."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from pydantic import SecretStr

from contracts.errors import LakeError, QueryFailed, QueryRefused, QueryTooLarge, QueryTooLong
from lake.catalog.connection import connect
from lake.catalog.copy import copy_to_read, files_of, remove
from lake.catalog.tables import quoted
from lake.publish.pointer import latest
from lake.read.question import Bounds, Questions, _told
from lake.settings import LakeSettings
from sandbox.confine import protection
from sandbox.errors import Died
from sandbox.sandbox import Sandbox
from tests.attacks.grammar import Grammar
from tests.attacks.state import fingerprint
from tests.lake.landed import lake_in
from tests.lake.published import fill_with_numbers, publish_after
from tests.lake.stores import lake_in_s3, s3_service

SECRET = "kept-to-itself"
BOUNDS = Bounds(seconds=5, memory_bytes=500_000_000, answer_bytes=4_000_000)
COPY_OVER = "explain analyze copy (select 1 as a) to '{file}'"


@dataclass(frozen=True)
class Home:
    """A home with a published lake, bronze, and another part's database."""

    folder: Path
    lake: LakeSettings
    snapshot_id: int
    questions: Questions

    @property
    def data_file(self) -> Path:
        """A file of the published snapshot."""
        return next(iter(sorted(Path(self.lake.root, "ducklake", "gold").rglob("*.parquet"))))

    @property
    def bronze_file(self) -> Path:
        """Somebody's response, which no question reads."""
        return Path(self.lake.root, "bronze", "raw", "response.json")

    def paths(self) -> list[Path]:
        """What an attack aims at."""
        return [
            *(self.data_file, self.bronze_file, self.folder / "mlflow.sqlite", self.folder / "new.csv"),
            *(Path(self.lake.catalog_target), self.folder, Path("/etc/passwd")),
        ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("it's home")
    lake = fill_with_numbers(lake_in(folder))
    publish_after(lake, "delete from gold.numbers where number = 1")
    with connect(lake, write=True) as writer:
        writer.execute("call lake.merge_adjacent_files()")  # leaves files that nobody needs any more
    bronze = Path(lake.root, "bronze", "raw", "response.json")
    bronze.parent.mkdir(parents=True)
    bronze.write_text(SECRET)
    with closing(sqlite3.connect(folder / "mlflow.sqlite")) as database:
        database.execute("create table experiments (name text)")
        database.execute("insert into experiments values (?)", [SECRET])
        database.commit()
    published = latest(lake)
    assert published
    with Questions(lake) as questions:
        questions.start()
        yield Home(folder, lake, published.snapshot_id, questions)


def hostile(home: Home) -> list[str]:
    """The report's questions, and their siblings."""
    data, bronze, sqlite = home.data_file, home.bronze_file, home.folder / "mlflow.sqlite"
    data, bronze, sqlite = (str(path).replace("'", "''") for path in (data, bronze, sqlite))  # type: ignore[assignment]
    new = str(home.folder / "new").replace("'", "''")
    cleanup = "ducklake_cleanup_old_files('lake', cleanup_all => true)"
    return [
        *(COPY_OVER.format(file=file) for file in (data, bronze, new)),
        f"explain (analyze) copy (select 1 as a) to '{data}' (format parquet)",
        f"copy (select 1) to '{new}'",
        f"pivot gold.numbers on number; copy (select 1) to '{new}'",
        f"call {cleanup}",
        f"select * from {cleanup}",
        f"explain analyze select * from {cleanup}",
        *(
            "explain analyze select 1",
            "explain (analyze) select 1",
            "explain (format json, analyze) select 1",
        ),
        "from lake.cleanup_old_files(cleanup_all => true)",
        "select * from ducklake_expire_snapshots('lake', older_than => now())",
        "select * from ducklake_delete_orphaned_files('lake', cleanup_all => true)",
        "select * from ducklake_merge_adjacent_files('lake')",
        "select * from ducklake_set_option('lake', 'x', 'y')",
        f"call enable_logging(storage => 'file', storage_path => '{new}')",
        f"from enable_logging(storage => 'file', storage_path => '{new}')",
        f"prepare p as copy (select 1) to '{new}'",
        f"select * from sqlite_scan('{sqlite}', 'experiments')",
        f"call sqlite_attach('{sqlite}')",
        f"pivot (select * from sqlite_scan('{sqlite}', 'experiments')) on name",
        f"attach '{sqlite}' as a (type sqlite)",
        f"from read_text('{bronze}')",
        f"from '{bronze}'",
        f"from read_json('{bronze}')",
        f"from glob('{Path(bronze).parent}/*')",
        f"from query('copy (select 1) to ''{new}''')",
        f"from json_execute_serialized_sql(json_serialize_sql('from read_text(''{bronze}'')'))",
        "from read_text('/proc/self/environ')",
        "select * from postgres_scan('host=127.0.0.1 port=9', 'public', 'x')",
        "from read_csv('http://127.0.0.1:9/x')",
        "select getenv('PATH')",
        "from duckdb_secrets()",
        f"import database '{new}'",
        f"export database '{new}'",
        f"set log_query_path = '{new}'",
        f"pragma enable_profiling; set profiling_output = '{new}'",
        "from pandas_scan(1)",
        "from arrow_scan(1, 2, 3)",
        "from __ducklake_metadata_lake.ducklake_snapshot",
    ]


def test_this_machine_takes_every_right_from_a_question() -> None:
    """What is shown below of processes that cannot write is shown on this machine."""
    assert protection().cannot_write, (
        "this kernel has no Landlock: the tests of what a question cannot do need one"
    )
    assert protection().has_no_network


def test_no_hostile_question_is_answered_or_changes_a_byte(home: Home) -> None:
    for query in hostile(home):
        before = fingerprint(home.folder)
        with pytest.raises(LakeError) as refused:
            home.questions.answer(home.snapshot_id, query, BOUNDS)
        assert SECRET not in str(refused.value), query
        assert fingerprint(home.folder) == before, query
    assert home.questions.answer(home.snapshot_id, "from gold.numbers", BOUNDS).num_rows == 4


@pytest.mark.parametrize(
    "query",
    [
        "pivot duckdb_databases on path",
        'from (pivot "DuckDB_Databases" on path)',
        "with q as (pivot pg_catalog.pg_settings on setting) from q",
        "explain pivot 'duckdb_databases' on path",
        r"pivot E'\x64uckdb_databases' on path",
        "pivot 'duckdb_' -- and\n'databases' on path",
        "pivot (from $$duckdb_databases$$) on path",
        "pivot histogram(duckdb_databases, path) on bin",
        "pivot histogram('duckdb_' || 'databases', path) on bin",
        "pivot histogram('__ducklake_meta' || 'data_lake.ducklake_metadata', value) on bin",
    ],
)
def test_a_pivot_does_not_tell_where_the_catalog_is_or_what_is_set(home: Home, query: str) -> None:
    """DuckDB gives no tree of it: what it reads is found by its words, and by texts that name tables."""
    with pytest.raises(QueryRefused):
        home.questions.answer(home.snapshot_id, query, BOUNDS)


def test_a_pivot_may_have_texts_that_name_no_table(home: Home) -> None:
    query = "pivot gold.numbers on number using string_agg(number::varchar, ''), max('a' || number)"
    assert home.questions.answer(home.snapshot_id, query, BOUNDS).num_rows == 1


@dataclass
class Unruled:
    """The page's process without a rule in words, for as many questions as are asked of it."""

    home: Home
    box: Sandbox

    def say(self, *queries: str, is_locked: bool = False, readable: tuple[Path, ...] | None = None) -> str:
        """What it says to questions in one process; nothing where they end it."""
        copied, copy = copy_to_read(self.home.lake, snapshot_id=self.home.snapshot_id)
        assert copy
        files = files_of(copy, self.home.snapshot_id)
        given = {"snapshot_id": self.home.snapshot_id, "queries": queries, "is_locked": is_locked}
        given |= {"files": [str(file) for file in files]}
        limits = Bounds(seconds=5).limits(self.home.lake, readable or (copy, *files))
        try:
            return self.box.call("tests.attacks.unruled:run", _told(copied, given), limits).decode()
        except Died:
            return ""
        finally:
            remove(copy)


@pytest.fixture(scope="module")
def unruled(home: Home) -> Iterator[Unruled]:
    box = Sandbox(["tests.attacks.unruled", "lake", "contracts"])
    yield Unruled(home, box)
    box.close()


def test_without_any_rule_nothing_is_changed_and_nothing_else_is_read(home: Home, unruled: Unruled) -> None:
    """The rules in words are missing, and DuckDB's own: what was taken from the process holds."""
    assert "[(0,), (2,), (3,), (4,)]" in unruled.say("from gold.numbers order by 1")
    for query in hostile(home):
        before = fingerprint(home.folder)
        said = unruled.say(query)
        assert fingerprint(home.folder) == before, query
        assert SECRET not in said, query
        assert "root:" not in said, query
        assert "PATH=" not in said, query


def test_duckdbs_own_lock_holds_without_the_rules_as_well(home: Home, unruled: Unruled) -> None:
    before = fingerprint(home.folder)
    for query in ("from read_text('/etc/passwd')", "set enable_external_access = true", "load httpfs"):
        assert "Error" in unruled.say(query, is_locked=True)
    assert "[(4,)]" in unruled.say("select max(number) from gold.numbers", is_locked=True)
    assert fingerprint(home.folder) == before


def test_a_process_that_may_read_everything_changes_nothing_either(home: Home, unruled: Unruled) -> None:
    """As at the command line, without a rule."""
    for query in hostile(home):
        before = fingerprint(home.folder)
        unruled.say(query, readable=(Path("/"),))
        assert fingerprint(home.folder) == before, query
    assert SECRET in unruled.say(f"from read_text({quoted(str(home.bronze_file))})", readable=(Path("/"),))


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("select levenshtein(repeat('a', 150000), repeat('b', 150000))", QueryTooLong),
        ("select count(*) from range(1000000000) a, range(1000) b", QueryTooLong),
        ("select repeat('x', 2000000) from range(1001)", (QueryTooLarge, QueryTooLong)),
        ("select string_agg(range::varchar, ',') from range(30000000)", (QueryTooLarge, QueryTooLong)),
        ("select list(range) from range(200000000)", (QueryTooLarge, QueryTooLong)),
        ("select " + "(" * 30_000 + "1" + ")" * 30_000, QueryFailed),
    ],
)
def test_a_question_that_takes_too_much_ends_alone(
    home: Home, query: str, error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    short = Bounds(seconds=1, memory_bytes=300_000_000, answer_bytes=4_000_000)
    began = time.monotonic()
    with pytest.raises(error):
        home.questions.answer(home.snapshot_id, query, short)
    assert time.monotonic() - began < 60
    assert home.questions.answer(home.snapshot_id, "from gold.numbers", BOUNDS).num_rows == 4


def test_a_question_reads_no_file_of_another_snapshot(tmp_path: Path, unruled: Unruled) -> None:
    """Of three snapshots: the file of the first one's rows is the second one's too, and not the third's."""
    lake = fill_with_numbers(lake_in(tmp_path))
    last = publish_after(lake, "delete from gold.numbers where number < 3").snapshot_id
    with connect(lake) as newest:
        numbers = "select snapshot_id from lake.published.publications order by publication_id"
        first, second, _ = (number for (number,) in newest.execute(numbers).fetchall())
        query = f"select number from gold.numbers at (version => {first}) order by number"
        assert newest.execute(query).fetchall() == [(0,), (1,), (2,)]
    with Questions(lake) as questions:
        assert questions.answer(second, query, BOUNDS).to_pydict() == {"number": [0, 1, 2]}
        assert questions.answer(last, query, BOUNDS).to_pydict() == {"number": []}
        assert questions.answer(last, "from gold.numbers order by 1", BOUNDS).to_pydict() == {
            "number": [3, 4]
        }
        with pytest.raises(LakeError, match="No snapshot found"):
            questions.answer(first, f"from gold.numbers at (version => {second})", BOUNDS)
        read = {number: _files(lake, number) for number in (second, last)}
        (other,) = read[second] - read[last]
        (own,) = (file for file in read[last] if "/gold/" in file)
        there = Unruled(Home(tmp_path, lake, last, questions), unruled.box)
        assert "[(3,), (4,)]" in there.say(f"select * from read_parquet({quoted(own)})")
        assert "[(" not in there.say(f"select * from read_parquet({quoted(other)})")


def _files(lake: LakeSettings, snapshot_id: int) -> set[str]:
    _, copy = copy_to_read(lake, snapshot_id=snapshot_id)
    assert copy
    try:
        return {str(file) for file in files_of(copy, snapshot_id)}
    finally:
        remove(copy)


@pytest.mark.long
def test_every_function_that_duckdb_lists_changes_nothing(home: Home, unruled: Unruled) -> None:
    """Without a rule: in the place of a table in a process of its own, the others fifty at a time."""
    grammar = Grammar(1, home.paths())
    assert len(grammar.tables) > 100
    assert len(grammar.values) > 600
    questions = list(grammar.every_function())
    alone = [[question] for question in questions if question.startswith("select * from")]
    rest = [question for question in questions if not question.startswith("select * from")]
    for together in [*alone, *(rest[place : place + 50] for place in range(0, len(rest), 50))]:
        before = fingerprint(home.folder)
        assert SECRET not in unruled.say(*together), together
        assert fingerprint(home.folder) == before, together


@pytest.mark.long
def test_no_question_of_a_grammar_changes_a_byte(home: Home, pytestconfig: pytest.Config) -> None:
    """5,000 in the long form: `--mutations 5000`."""
    grammar, number = Grammar(7, home.paths()), int(pytestconfig.getoption("mutations")) or 40
    short = Bounds(seconds=2, memory_bytes=300_000_000, answer_bytes=4_000_000)
    warm = home.questions._box._process
    before = fingerprint(home.folder)
    for _ in range(number):
        query = grammar.question()
        try:
            answered = str(home.questions.answer(home.snapshot_id, query, short).to_pydict())
        except LakeError as error:
            answered = "" if isinstance(error, QueryFailed) else "refused"
        assert SECRET not in answered, query
        assert fingerprint(home.folder) == before, query
    assert warm is home.questions._box._process
    assert warm
    assert warm.poll() is None


@pytest.mark.long
def test_no_question_of_a_grammar_changes_a_byte_without_a_rule(
    home: Home, unruled: Unruled, pytestconfig: pytest.Config
) -> None:
    """As the one above, past the rules: a fifth as many, 20 in a process, as most of them end in an error."""
    grammar, number = Grammar(8, home.paths()), (int(pytestconfig.getoption("mutations")) or 200) // 5
    before, answered = fingerprint(home.folder), 0
    for _ in range(max(1, number // 20)):
        together = [grammar.question() for _ in range(20)]
        said = unruled.say(*together)
        answered += bool(said)
        assert SECRET not in said, together
        assert "PATH=" not in said, together
        assert fingerprint(home.folder) == before, together
    assert answered


@pytest.mark.parametrize(
    "query",
    [
        "copy (select 1) to '{new}'",
        "explain analyze copy (select 1) to '{new}'",
        "prepare p as copy (select 1) to '{new}'; execute p",
        "set profiling_output = '{new}'; pragma enable_profiling; select 1",
        "set enable_profiling = 'json'; set profiling_output = '{new}'; select 1",
        "set log_query_path = '{new}'; select 1",
        "call enable_logging(storage => 'file', storage_path => '{new}')",
        "attach '{new}' as a",
        "from lake.cleanup_old_files(cleanup_all => true)",
    ],
)
def test_the_command_line_writes_nothing_but_its_output(home: Home, tmp_path: Path, query: str) -> None:
    before = fingerprint(home.folder)
    with pytest.raises(LakeError):
        home.questions.draw(query.format(new=tmp_path / "new"), 80)
    assert list(tmp_path.iterdir()) == []
    assert fingerprint(home.folder) == before


def test_the_command_line_reads_a_persons_files_and_writes_where_it_is_told(
    home: Home, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("number,name\n2,two\n3,three\n")
    before = fingerprint(home.folder)
    query = f"select name from gold.numbers join '{mine}' using (number) order by 1"
    assert home.questions.write(query, tmp_path / "answer.parquet", "parquet") == 2
    assert duckdb.sql(f"from '{tmp_path}/answer.parquet'").fetchall() == [("three",), ("two",)]
    assert {file.name for file in tmp_path.iterdir()} == {"mine.csv", "answer.parquet"}
    with pytest.raises(LakeError):
        home.questions.write("selec", tmp_path / "answer.parquet", "parquet")
    assert {file.name for file in tmp_path.iterdir()} == {"mine.csv", "answer.parquet"}
    assert fingerprint(home.folder) == before


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # botocore leaves its sockets to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_a_question_to_a_store_reaches_the_store_alone_and_reads_no_key(tmp_path: Path) -> None:
    with s3_service() as url, socket.create_server(("127.0.0.1", 0)) as other:
        lake = fill_with_numbers(lake_in_s3(url, tmp_path))
        lake = lake.model_copy(update={"s3_secret_access_key": SecretStr(SECRET)})
        published = latest(lake)
        assert published
        port = other.getsockname()[1]
        with Questions(lake) as questions:
            found = questions.answer(published.snapshot_id, "from gold.numbers", BOUNDS)
            assert found.num_rows == 5
            told = questions.draw("from duckdb_secrets()", None).text
            told += questions.draw("from read_text('/proc/self/environ')", None).text
            with pytest.raises(LakeError) as refused:
                questions.draw(f"from read_csv('http://127.0.0.1:{port}/x')", 80)
        other.settimeout(0)
        with pytest.raises(BlockingIOError):
            other.accept()
        assert SECRET not in told + str(refused.value)


def test_the_shell_writes_nothing_but_its_history(home: Home, tmp_path: Path) -> None:
    new, before = tmp_path / "new.csv", fingerprint(home.folder)
    typed = f"""
select sum(number) as total from gold.numbers;
copy (select 1) to '{new}';
.output {new}
select 1;
.output
.shell touch {new}
call ducklake_cleanup_old_files('lake', cleanup_all => true);
select path from duckdb_databases() where database_name = 'lake';
"""
    program = "import sys; from pathlib import Path; from lake.read.shell import open_shell; "
    program += "sys.exit(open_shell(Path(sys.argv[1])))"
    environment = os.environ | {"LAKE_URI": home.lake.uri, "LAKE_CATALOG": home.lake.catalog}
    history = tmp_path / "history"
    ended = subprocess.run(
        [sys.executable, "-c", program, str(history)],
        env=environment | {"SOURCE_SECRET": SECRET},
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "9" in ended.stdout
    assert not new.exists(), ended.stdout + ended.stderr
    assert fingerprint(home.folder) == before
