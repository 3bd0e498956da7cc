"""Questions that would change, read or stop something, asked on the page itself: one sentence each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lake.settings import LakeSettings
from tests.attacks.state import unchanged
from tests.ui.conftest import Environment
from tests.ui.small_lake import make_lake
from tests.ui.test_pages import open_page, press, words
from ui.language import texts_of

SECRET = "kept-to-itself"
SOUND = "select count(*) as cells from gold.training_set"
# By what each would do. {new}: a file that is not there; {secret}, {other}: files that no question reads.
HOSTILE = {
    "drop a table": "drop table gold.training_set",
    "delete rows": "delete from gold.training_set",
    "insert rows": "insert into gold.training_set select * from gold.training_set",
    "make a table": "create table gold.mine as select 1",
    "make a macro": "create temp macro mine() as 1",
    "read a text": "from read_text('{secret}')",
    "read a file by its name": "from '{secret}'",
    "read a CSV": "select * from read_csv('/etc/passwd')",
    "read the environment": "from read_text('/proc/self/environ')",
    "read a variable": "select getenv('PATH')",
    "list a folder": "from glob('{folder}/*')",
    "read over the network": "from read_csv('http://127.0.0.1:9/x')",
    "attach a database": "attach '{other}' as other (type sqlite)",
    "attach a new one": "attach '{new}' as new",
    "detach the lake": "detach lake",
    "copy into a file": "copy (select 1) to '{new}'",
    "copy out of a file": "copy gold.training_set from '{secret}'",
    "export everything": "export database '{new}'",
    "import everything": "import database '{folder}'",
    "install an extension": "install httpfs",
    "load an extension": "load httpfs",
    "a pragma": "pragma enable_profiling",
    "a pragma with a file": "pragma profiling_output = '{new}'",
    "call a procedure": "call ducklake_cleanup_old_files('lake', cleanup_all => true)",
    "log into a file": "call enable_logging(storage => 'file', storage_path => '{new}')",
    "clean up by a table function": "from lake.cleanup_old_files(cleanup_all => true)",
    "expire snapshots": "select * from ducklake_expire_snapshots('lake', older_than => now())",
    "scan another database": "select * from sqlite_scan('{other}', 'experiments')",
    "run a text as SQL": "from query('copy (select 1) to ''{new}''')",
    "secrets": "from duckdb_secrets()",
    "the catalog's own tables": "from __ducklake_metadata_lake.ducklake_snapshot",
    "set a file to log to": "set log_query_path = '{new}'",
    "set the lock off": "set enable_external_access = true",
    "reset a setting": "reset memory_limit",
    "two statements": "select 1; drop table gold.training_set",
    "two statements that read": "select 1; select 2",
    "a statement behind a comment": "select 1 --\n; copy (select 1) to '{new}'",
    "explain analyze that writes": "explain analyze copy (select 1) to '{new}'",
    "explain analyze a delete": "explain analyze delete from gold.training_set",
    "prepare": "prepare p as copy (select 1) to '{new}'",
    "execute": "execute p",
    "a transaction": "begin transaction",
    "no SQL at all": "'); drop table gold.training_set; --",
    "a null in the middle": "select 1\x00; drop table gold.training_set",
}


@dataclass(frozen=True)
class Home:
    """A home with a published lake, a secret and another part's database."""

    folder: Path
    lake: LakeSettings

    def asked(self, query: str) -> str:
        """The question with this home's files."""
        files = {"secret": self.folder / "secret.txt", "other": self.folder / "mlflow.sqlite"}
        return query.format(folder=self.folder, new=self.folder / "new", **files)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("home")
    lake = make_lake(folder)
    (folder / "secret.txt").write_text(SECRET)
    with closing(sqlite3.connect(folder / "mlflow.sqlite")) as database:
        database.execute("create table experiments (name text)")
        database.execute("insert into experiments values (?)", [SECRET])
        database.commit()
    return Home(folder, lake)


@pytest.fixture(scope="module")
def page(home: Home, away: Environment) -> Iterator[AppTest]:
    """The page of the lake, with nothing but the lake there, and a question that was answered."""
    lake = {"LAKE_URI": home.lake.uri, "LAKE_CATALOG": home.lake.catalog, "CANOPY_HOME": str(home.folder)}
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in (away | lake).items():
            monkeypatch.setenv(name, value)
        app = open_page("lake")
        ask(app, SOUND)
        assert app.dataframe[0].value["cells"].tolist() == [2000]
        yield app


def ask(app: AppTest, query: str) -> None:
    """Asks a question as a person does."""
    app.text_area[0].set_value(query)
    press(app, texts_of("en")("lake.run"))


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_question_on_the_page_gets_a_sentence_and_changes_nothing(
    home: Home, page: AppTest, what: str
) -> None:
    with unchanged(home.folder):
        ask(page, home.asked(HOSTILE[what]))
    (refused,) = page.error
    head, _, said = refused.value.partition("```\n")
    assert texts_of("en")("lake.failed") in head
    sentence, *more = said.removesuffix("\n```").splitlines()
    assert 20 < len(sentence) < 300
    assert not more or sentence.startswith(("Catalog Error", "Parser Error"))  # DuckDB shows the place
    assert not page.dataframe, "an answer is shown"
    shown = words(page)
    for secret in (SECRET, "root:", "PATH=", "Traceback"):
        assert secret not in shown


def test_after_all_of_them_the_page_answers(home: Home, page: AppTest) -> None:
    with unchanged(home.folder):
        ask(page, SOUND)
    assert not page.error
    assert page.dataframe[0].value["cells"].tolist() == [2000]


def test_a_file_that_a_question_had_written_would_be_noticed(home: Home, page: AppTest) -> None:
    written = home.folder / "new"
    with pytest.raises(AssertionError, match="new"), unchanged(home.folder):
        written.write_text(page.title[0].value)
    written.unlink()
