"""The analysts' file holds what a full copy of gold would hold, however it was made."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lake.catalog.compact import compact
from lake.catalog.connection import connect
from lake.objects import open_objects
from lake.publish.analysts_file import KEY, write_analysts_file
from lake.publish.digests import digest_of, record_object, recorded_object
from lake.settings import LakeSettings
from tests.lake.landed import lake_in
from tests.lake.published import fill_with_numbers, make_countable, publish_after

Content = dict[str, tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]]

# What may happen to gold between two publications; each is possible at any time.
CHANGES = (
    "insert into gold.numbers select number + {n} from range(50) rows(number)",
    "insert into gold.numbers select {n} % 7 from range(3)",  # rows that are there already
    "delete from gold.numbers where number % 11 = {n} % 11",
    "update gold.numbers set number = number + 1 where number % 13 = {n} % 13",
    "begin; insert into gold.numbers values (-1); delete from gold.numbers where number = -1; commit",
    "create or replace table gold.names as select 'name ' || {n} as name, null::double as share",
    "insert into gold.names (name) values ('more')",
    "create or replace table gold.numbers as from gold.numbers where number % 2 = 0",
    "alter table gold.names add column if not exists added_{n} integer default {n}",
    "create table if not exists gold.passing as select {n} as n",
    "drop table if exists gold.passing",
    "comment on table gold.names is 'Names, it''s said, {n}'",
    "comment on table gold.names is null",
    "comment on column gold.numbers.number is 'A number, {n}'",
    "insert into silver.landings values ('{n}')",
)


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return fill_with_numbers(lake_in(tmp_path))


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.longest)])
def test_the_file_equals_a_full_copy_whatever_happened_between_publications(
    tmp_path: Path, seed: int
) -> None:
    lake, drawn = lake_in(tmp_path), random.Random(seed)
    make_countable(lake)
    publish_after(
        lake, "create table gold.numbers (number integer)", "create table gold.names (name varchar)"
    )
    for n in range(10):
        if n % 5 == 4:
            compact(lake, now=datetime.now(UTC) + timedelta(days=30))
        statements = [change.format(n=n) for change in drawn.choices(CHANGES, k=drawn.randint(0, 3))]
        publication = publish_after(lake, *statements)
        assert in_file(lake) == in_lake(lake, publication.snapshot_id), statements


def test_a_table_that_has_only_grown_is_not_copied_again_and_publishing_again_heals_it(
    lake: LakeSettings,
) -> None:
    spoil(lake, "update numbers set number = 100 where number = 4")
    take_for_written(lake)
    publication = publish_after(lake, "insert into gold.numbers values (5)")
    assert [number for (number,) in in_file(lake)["numbers"][1]] == [0, 1, 2, 3, 5, 100]
    write_analysts_file(lake, publication.snapshot_id)
    assert in_file(lake) == in_lake(lake, publication.snapshot_id)


def test_a_last_file_with_other_bytes_than_were_written_is_not_built_upon(lake: LakeSettings) -> None:
    spoil(lake, "update numbers set number = 100 where number = 4")
    publication = publish_after(lake, "insert into gold.numbers values (5)")
    assert in_file(lake) == in_lake(lake, publication.snapshot_id)


HOLD = """
import sys, duckdb
with duckdb.connect(sys.argv[1]) as opened:
    opened.execute("create table mine as select 1 as one")
    print("ready", flush=True)
    sys.stdin.readline()
    for count in ("select count(*) from numbers", "from mine"):
        print(*opened.execute(count).fetchone())
"""


def test_a_person_who_writes_into_the_file_keeps_theirs_and_holds_no_publication_up(
    lake: LakeSettings,
) -> None:
    file, before = Path(lake.root, KEY), len(in_file(lake)["numbers"][1])
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == "ready\n"
        publication = publish_after(lake, "insert into gold.numbers values (5)")
        said, _ = holding.communicate("\n", timeout=60)
    assert said.split() == [str(before), "1"]
    assert in_file(lake) == in_lake(lake, publication.snapshot_id)  # without the table that was theirs


def test_a_publication_that_dies_between_the_record_and_the_file_leaves_both_known(
    lake: LakeSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = open_objects(lake).read(KEY)
    with monkeypatch.context() as dying:
        dying.setattr("lake.objects.FolderObjects.put_file", _die)
        with pytest.raises(OSError, match="killed"):
            publish_after(lake, "insert into gold.numbers values (5)")
    assert open_objects(lake).read(KEY) == before
    with connect(lake) as connection:
        assert len(recorded_object(connection, KEY)) == 2
    left = tmp_path / ".analysts-killed_1"
    left.mkdir()
    publication = publish_after(lake, "insert into gold.numbers values (6)")
    assert in_file(lake) == in_lake(lake, publication.snapshot_id)
    assert not list(tmp_path.glob(".analysts-*"))
    with connect(lake) as connection:
        assert recorded_object(connection, KEY) == {digest_of(Path(open_objects(lake).url(KEY)))}


@pytest.mark.parametrize(
    "fault",
    [
        "delete from numbers where number = 0",
        "drop table numbers",
        "drop table as_of",
        "update as_of set snapshot_at = snapshot_at + interval 1 second",
        "alter table numbers rename number to renamed",
        "create table h as select random() from range(1_000_000); checkpoint; drop table h; checkpoint",
    ],
)
def test_a_last_file_that_is_not_as_it_was_written_is_not_built_upon(lake: LakeSettings, fault: str) -> None:
    spoil(lake, fault)
    take_for_written(lake)
    publication = publish_after(lake, "insert into gold.numbers values (5)")
    assert in_file(lake) == in_lake(lake, publication.snapshot_id)
    assert len(open_objects(lake).read(KEY)) < 2_000_000


@pytest.mark.parametrize("body", [b"", b"no database", None])
def test_a_last_file_that_is_damaged_or_gone_is_made_anew(lake: LakeSettings, body: bytes | None) -> None:
    file = Path(open_objects(lake).url(KEY))
    half = file.read_bytes()[: file.stat().st_size // 2]
    file.write_bytes(half if body is None else body)
    publication = publish_after(lake, "insert into gold.numbers values (5)")
    assert in_file(lake) == in_lake(lake, publication.snapshot_id)


@pytest.mark.long
def test_an_earlier_snapshot_and_a_lake_made_anew_are_copied(lake: LakeSettings, tmp_path: Path) -> None:
    first = publish_after(lake, "insert into gold.numbers values (5)")
    publish_after(lake, "insert into gold.numbers values (6)")
    write_analysts_file(lake, first.snapshot_id)
    assert in_file(lake) == in_lake(lake, first.snapshot_id)
    anew = lake.model_copy(update={"catalog": f"sqlite:{tmp_path}/anew.sqlite"})
    fill_with_numbers(anew)
    publication = publish_after(anew, "insert into gold.numbers from range(7, 12)")
    assert in_file(anew) == in_lake(anew, publication.snapshot_id)


def test_the_file_says_what_its_tables_mean_and_which_snapshot_it_holds(lake: LakeSettings) -> None:
    publication = publish_after(lake, "comment on column gold.numbers.number is 'Still whole'")
    with duckdb.connect(open_objects(lake).url(KEY), read_only=True) as file:
        assert file.execute("select snapshot_id from gold.as_of").fetchall() == [(publication.snapshot_id,)]
        tables = "select comment from duckdb_tables() where table_name = 'numbers'"
        assert file.execute(tables).fetchall() == [("Numbers, it's said",)]
        columns = "select comment from duckdb_columns() where table_name = 'numbers'"
        assert file.execute(columns).fetchall() == [("Still whole",)]


def spoil(lake: LakeSettings, statements: str) -> None:
    with duckdb.connect(open_objects(lake).url(KEY)) as file:
        file.execute(statements)


def take_for_written(lake: LakeSettings) -> None:
    """Records the file as it is now: what is looked at then is how it is made, not whether it was changed."""
    size, sha256 = digest_of(Path(open_objects(lake).url(KEY)))
    with connect(lake, write=True) as connection:
        record_object(connection, KEY, size, sha256)


def _die(*_: object) -> None:
    raise OSError("killed")


def in_file(lake: LakeSettings) -> Content:
    """Each table of the file: its columns and comments, and its rows."""
    with duckdb.connect(open_objects(lake).url(KEY), read_only=True) as file:
        return {
            name: table for name, table in content(file, "gold", "main").items() if name not in ("as_of",)
        }


def in_lake(lake: LakeSettings, snapshot_id: int) -> Content:
    """The same of gold, at a snapshot."""
    with connect(lake, snapshot_id=snapshot_id) as connection:
        return content(connection, "lake", "gold")


def content(connection: duckdb.DuckDBPyConnection, database: str, schema: str) -> Content:
    tables = connection.execute(
        "select table_name, comment from duckdb_tables() where database_name = ? and schema_name = ?",
        [database, schema],
    ).fetchall()
    columns = (
        "select column_name, data_type, comment from duckdb_columns() "
        "where database_name = ? and schema_name = ? and table_name = ? order by column_index"
    )
    return {
        name: (
            [(comment,), *connection.execute(columns, [database, schema, name]).fetchall()],
            connection.execute(f'from {database}.{schema}."{name}" order by all').fetchall(),
        )
        for name, comment in tables
    }
