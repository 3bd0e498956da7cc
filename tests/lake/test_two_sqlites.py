"""DuckDB's SQLite and Python's in one process: neither takes the other's locks away.

tests/conftest.py watches for it in all tests; here both have the catalog open at once, on purpose.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from lake.catalog.connection import connect, prepare_catalog
from lake.catalog.copy import copy_whole
from lake.catalog.keep import keep_catalog
from lake.catalog.writer import may_open, one_writer
from lake.settings import LakeSettings

ASKS: dict[str, Callable[[LakeSettings], object]] = {
    "a reader": lambda lake: connect(lake).close(),
    "a reader of a snapshot": lambda lake: connect(lake, snapshot_id=1).close(),
    "another writer": lambda lake: connect(lake, write=True).close(),
    "the copy that is kept": keep_catalog,
    "a build that makes sure of it": lambda lake: prepare_catalog(lake, write=True),
}


def locks_of(catalog: Path) -> set[tuple[str, ...]]:
    """What this process has locked of a catalog and of what lies beside it, as the kernel knows it."""
    beside = [file for file in catalog.parent.glob(f"{catalog.name}*") if file.is_file()]
    inodes = {str(file.stat().st_ino): file.name for file in beside}
    found = set()
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if words[1] == "POSIX" and words[4] == str(os.getpid()):
            name = inodes.get(words[5].rsplit(":", 1)[1])
            if name:
                found.add((name, *words[3:4], *words[6:]))
    return found


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    """A lake of its own."""
    return LakeSettings(uri=str(tmp_path / "lake"), catalog=f"sqlite:{tmp_path}/catalog.sqlite")


@pytest.fixture
def writing(lake: LakeSettings) -> duckdb.DuckDBPyConnection:
    """A connection in the middle of a change: DuckDB has the catalog open, and holds its locks."""
    connection = connect(lake, write=True)
    connection.execute("create table lake.seen (row_number bigint)")
    connection.execute("insert into lake.seen values (1)")
    connection.execute("begin")
    connection.execute("insert into lake.seen values (2)")
    return connection


@pytest.mark.parametrize("name", ASKS)
@pytest.mark.parametrize("is_thread", [False, True], ids=["its own thread", "another thread"])
def test_who_asks_beside_a_writer_of_the_same_process_leaves_its_locks(
    lake: LakeSettings, writing: duckdb.DuckDBPyConnection, name: str, is_thread: bool
) -> None:
    before = locks_of(Path(lake.catalog_target))
    assert before
    asks = [threading.Thread(target=ASKS[name], args=(lake,))] if is_thread else []
    for thread in asks:
        thread.start()
        thread.join()
    if not asks:
        ASKS[name](lake)
    assert locks_of(Path(lake.catalog_target)) >= before
    writing.execute("commit")
    writing.close()
    with connect(lake) as reader:
        assert reader.execute("select count(*) from seen").fetchone() == (2,)


def test_one_who_reads_is_waited_for_before_another_thread_writes(lake: LakeSettings) -> None:
    prepare_catalog(lake, write=True)
    catalog = Path(lake.catalog_target)
    began = threading.Event()

    def write() -> None:
        with one_writer(lake):
            began.set()

    with may_open(catalog) as is_here:
        assert is_here
        writer = threading.Thread(target=write)
        writer.start()
        assert not began.wait(0.3)
    assert began.wait(10)
    writer.join()


def test_python_does_not_open_what_another_thread_writes_and_opens_what_its_own_does(
    lake: LakeSettings,
) -> None:
    prepare_catalog(lake, write=True)
    catalog, found = Path(lake.catalog_target), []

    def ask() -> None:
        with may_open(catalog) as is_here:
            found.append(is_here)

    with one_writer(lake):
        ask()
        other = threading.Thread(target=ask)
        other.start()
        other.join()
    ask()
    assert found == [True, False, True]


def test_a_damaged_catalog_is_said_as_well_by_the_program_that_copies(
    lake: LakeSettings, writing: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"no database at all, but long enough to be asked" * 100)
    said = []
    for is_open in (False, True):
        with damaged.open("rb") if is_open else writing.cursor(), pytest.raises(sqlite3.Error) as error:
            copy_whole(damaged, tmp_path / f"copy-{is_open}.sqlite")
        said.append(str(error.value))
    assert said == ["file is not a database"] * 2
    writing.execute("commit")
