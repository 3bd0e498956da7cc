"""Readers, writers and the published pointer."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Thread
from traceback import format_exception

import duckdb
import pytest

from contracts.errors import CatalogUnusable, NothingPublished, SettingsInvalid
from lake.catalog.connection import attach_statement, connect, current_snapshot, prepare_catalog, secrets
from lake.catalog.copy import FOLDER, copy_to_read, files_of, remove
from lake.catalog.extensions import checked_config, extension_directory
from lake.dbt.environment import dbt_environment
from lake.objects import open_objects
from lake.publish.pointer import latest, publish
from lake.read.reached import ports
from lake.settings import LakeSettings
from tests.lake.landed import lake_in
from tests.lake.published import connect_published

SCHEMA = """
create schema silver; create schema gold;
create table silver.landings (landing_id varchar);
create table silver.observations (row_id varchar);
create table silver.quarantine (landing_id varchar);
create table gold.training_set (row_id varchar, elevation_m integer);
comment on table gold.training_set is 'What it''s about';
comment on column gold.training_set.elevation_m is 'Height. Unit: m.';
"""


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    settings = lake_in(tmp_path)
    with connect(settings, write=True) as writer:
        writer.execute(SCHEMA)
    return settings


def add_row(lake: LakeSettings, name: str) -> int:
    with connect(lake, write=True) as writer:
        writer.execute("insert into gold.training_set values (?, 2596)", [name])
        return current_snapshot(writer)


def count(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("select count(*) from gold.training_set").fetchone()
    return int(row[0]) if row else -1


def test_a_lake_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingPublished, match="canopy collect"):
        connect(lake_in(tmp_path))
    assert latest(lake_in(tmp_path)) is None


def test_a_catalog_appears_whole(tmp_path: Path) -> None:
    """Readers look all the time; what they found once was an empty file."""
    lake = lake_in(tmp_path)
    prepare_catalog(lake, write=True)
    assert {path.name for path in Path(lake.catalog_target).parent.iterdir()} == {"catalog.sqlite", "lake"}
    assert latest(lake) is None


def test_writers_that_make_it_at_once_and_a_reader_all_find_one(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)

    def look() -> int:
        answers = 0
        while latest(lake) is None and not Path(lake.catalog_target).exists():
            answers += 1
        return answers

    with ThreadPoolExecutor(5) as pool:
        looking = [pool.submit(look) for _ in range(2)]
        writing = [pool.submit(prepare_catalog, lake, write=True) for _ in range(3)]
        assert all(done.result() is None for done in writing)
        assert all(done.result() > 0 for done in looking)


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda lake: lake.model_copy(update={"uri": f"{lake.uri}-moved"}), "DATA_PATH.*LAKE_URI"),
        (lambda lake: Path(lake.catalog_target).write_bytes(b"no database" * 500) and lake, "not a database"),
        (lambda lake: Path(lake.catalog_target).write_bytes(b"") or lake, "it is empty.*lake replay"),
    ],
)
def test_a_catalog_that_does_not_fit_says_what_to_do(
    lake: LakeSettings, damage: Callable[[LakeSettings], LakeSettings], match: str
) -> None:
    with pytest.raises(CatalogUnusable, match=match):
        connect(damage(lake))


def test_a_password_of_the_catalog_is_not_shown(tmp_path: Path) -> None:
    lake = LakeSettings(
        uri=str(tmp_path),
        catalog="postgres:dbname=lake host=127.0.0.1 port=1 user=canopy password=word-of-mouth",
        _env_file=None,
    )
    with pytest.raises(CatalogUnusable) as refused:
        connect(lake)
    assert "word-of-mouth" not in "".join(format_exception(refused.value))


def test_the_catalog_is_in_wal_mode_so_that_readers_never_wait(lake: LakeSettings) -> None:
    with sqlite3.connect(lake.catalog_target) as file:
        assert file.execute("pragma journal_mode").fetchone() == ("wal",)
    file.close()


def test_a_reader_cannot_write(lake: LakeSettings) -> None:
    with connect(lake) as reader, pytest.raises(duckdb.Error, match="read-only"):
        reader.execute("insert into gold.training_set values ('x', 1)")


def test_a_pinned_reader_sees_its_snapshot_while_others_write(lake: LakeSettings) -> None:
    first = add_row(lake, "a")
    with connect(lake, snapshot_id=first) as pinned, connect(lake) as newest:
        assert count(pinned) == 1
        add_row(lake, "b")
        assert count(pinned) == 1
        assert count(newest) == 1  # as it was when it connected
        with connect(lake) as later:
            assert count(later) == 2


def test_a_reader_leaves_no_copy_of_the_catalog(lake: LakeSettings) -> None:
    folder = Path(lake.catalog_target).parent / FOLDER
    with connect(lake) as reader:
        count(reader)
        assert list(folder.iterdir())
    del reader
    assert list(folder.iterdir()) == []
    with pytest.raises(CatalogUnusable):
        connect(lake, snapshot_id=99)
    assert list(folder.iterdir()) == []


def test_copies_of_readers_that_were_killed_go_with_the_next_one(lake: LakeSettings) -> None:
    folder = Path(lake.catalog_target).parent / FOLDER
    folder.mkdir()
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    left = folder / f"{killed.pid}-left1234.sqlite"
    left.write_bytes(b"")
    with connect(lake):
        assert not left.exists()
        assert [file.name.partition("-")[0] for file in folder.iterdir()] == [str(os.getpid())]


def test_a_copy_at_a_snapshot_names_no_other_file_and_reads_the_same(lake: LakeSettings) -> None:
    first, second = add_row(lake, "a"), add_row(lake, "b")
    copied, copy = copy_to_read(lake, snapshot_id=first)
    assert copy
    files = files_of(copy, first)
    kept = {Path(path).name for path in open_objects(lake).keys("ducklake")}
    others = kept - {file.name for file in files}
    assert len(files) == 1
    assert len(others) == second - first
    assert files[0].is_file()
    assert not any(name.encode() in copy.read_bytes() for name in others)
    with connect(copied, snapshot_id=first) as reader:
        assert count(reader) == 1
    remove(copy)


def test_a_home_with_an_apostrophe_is_a_home(tmp_path: Path) -> None:
    odd = tmp_path / "it's"
    odd.mkdir()
    lake = lake_in(odd)
    with connect(lake, write=True) as writer:
        writer.execute(SCHEMA)
    publish(lake, add_row(lake, "a"), "all well")
    with connect(lake) as reader:
        assert count(reader) == 1


def test_the_stores_keys_are_quoted_whatever_is_in_them() -> None:
    odd = LakeSettings(
        uri="s3://lake",
        s3_endpoint_url="http://it's:1",
        s3_access_key_id="k'e",
        s3_secret_access_key="s'x",
        s3_region="r'1",
    )
    with duckdb.connect(config=checked_config("httpfs")) as connection:
        for statement in secrets(odd):
            connection.execute(statement)
        (told,) = connection.execute("select secret_string from duckdb_secrets()").fetchone() or ("",)
    for part in ("endpoint=it's:1", "key_id=k'e", "region=r'1"):
        assert part in told


@pytest.mark.parametrize(
    "string",
    [
        "host=db port=6543 dbname=lake user=reader password='it\\'s word-of-mouth' connect_timeout=5",
        "postgresql://reader:it%27s%20word-of-mouth@db:6543/lake?connect_timeout=5",
    ],
)
def test_what_is_attached_of_a_catalog_in_postgresql_names_no_password(tmp_path: Path, string: str) -> None:
    lake = LakeSettings(uri=str(tmp_path), catalog=f"postgres:{string}")
    attach, statements = attach_statement(lake), secrets(lake)
    assert "word-of-mouth" not in attach + lake.catalog_shown
    assert "'ducklake:postgres:connect_timeout=5'" in attach
    with duckdb.connect(config=checked_config("postgres_scanner")) as connection:
        for statement in statements:
            connection.execute(statement)
        (told,) = connection.execute("select secret_string from duckdb_secrets()").fetchone() or ("",)
    for part in ("host=db", "port=6543", "dbname=lake", "user=reader", "password=redacted"):
        assert part in told
    assert ports(lake) == (6543,)


def test_a_connection_string_that_is_none_says_so_without_repeating_it(tmp_path: Path) -> None:
    lake = LakeSettings(uri=str(tmp_path), catalog="postgres:password='word-of-mouth dbname=lake")
    with pytest.raises(CatalogUnusable, match="no connection string") as refused:
        connect(lake)
    assert "word-of-mouth" not in "".join(format_exception(refused.value))


def test_a_database_that_takes_no_connection_is_told_from_one_that_refuses(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    refusing = said(tmp_path, f"host=127.0.0.1 port={port}")
    assert f"the database at 127.0.0.1, port {port}, does not answer (Connection refused). Start" in refusing
    nowhere = said(tmp_path, f"host={tmp_path}/nowhere")
    assert f"the database at {tmp_path}/nowhere does not answer (No such file or directory)" in nowhere
    with socket.create_server(("127.0.0.1", 0)) as listening:
        answering = Thread(target=hang_up, args=[listening], daemon=True)
        answering.start()
        refused = said(tmp_path, f"host=127.0.0.1 port={listening.getsockname()[1]}")
        listening.shutdown(socket.SHUT_RDWR)
        answering.join()
    assert "does not answer" not in refused
    assert "Check LAKE_CATALOG" in refused


def said(folder: Path, place: str) -> str:
    """What is said of a lake whose catalog is at this place."""
    with pytest.raises(CatalogUnusable) as raised:
        connect(LakeSettings(uri=str(folder / "lake"), catalog=f"postgres:{place} dbname=lake user=canopy"))
    return str(raised.value)


def hang_up(listening: socket.socket) -> None:
    """Takes connections, and says nothing."""
    with suppress(OSError):
        while True:
            listening.accept()[0].close()


def test_no_connection_loads_what_nobody_signed(lake: LakeSettings, tmp_path: Path) -> None:
    (signed,) = extension_directory().rglob("httpfs.duckdb_extension")
    odd = bytearray(signed.read_bytes())
    odd[len(odd) // 2] ^= 1
    file = tmp_path / "httpfs.duckdb_extension"
    file.write_bytes(odd)
    for write in (True, False):
        with connect(lake, write=write) as connection:
            with pytest.raises(duckdb.Error, match="signature"):
                connection.execute(f"load '{file}'")
            with pytest.raises(duckdb.Error, match="while database is running"):
                connection.execute("set allow_unsigned_extensions = true")


def test_every_row_lies_in_parquet(lake: LakeSettings) -> None:
    add_row(lake, "a")
    assert [key for key in open_objects(lake).keys("ducklake") if key.endswith(".parquet")]


def test_the_pointer_moves_only_by_publishing(lake: LakeSettings) -> None:
    first = add_row(lake, "a")
    published = publish(lake, first, "all well")
    add_row(lake, "b")
    publication, reader = connect_published(lake)
    with reader:
        assert publication == published == latest(lake)
        assert (publication.publication_id, publication.snapshot_id) == (1, first)
        assert count(reader) == 1


def test_publishing_the_published_snapshot_moves_nothing(lake: LakeSettings) -> None:
    first = add_row(lake, "a")
    assert publish(lake, first, "once") == publish(lake, first, "twice")


def test_the_analysts_file_opens_with_any_duckdb_and_keeps_the_comments(lake: LakeSettings) -> None:
    publish(lake, add_row(lake, "a"), "all well")
    file = open_objects(lake).url("published/gold.duckdb")
    with duckdb.connect(file, read_only=True) as analyst:
        assert analyst.execute("from gold.training_set").fetchall() == [("a", 2596)]
        comment = "select comment from duckdb_tables() where table_name = 'training_set'"
        assert analyst.execute(comment).fetchall() == [("What it's about",)]
        publish(lake, add_row(lake, "b"), "all well")  # under the analyst's open file
        assert analyst.execute("select count(*) from gold.training_set").fetchone() == (1,)
    with duckdb.connect(file, read_only=True) as analyst:
        assert analyst.execute("select count(*) from gold.training_set").fetchone() == (2,)
        columns = "select column_name, comment from duckdb_columns() where comment is not null"
        assert analyst.execute(columns).fetchall() == [("elevation_m", "Height. Unit: m.")]


def test_a_catalog_of_another_kind_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="LAKE_CATALOG"):
        _ = LakeSettings(catalog="mysql:lake").catalog_kind


def test_dbt_gets_absolute_paths_and_no_secret_outside_the_names_that_it_hides(tmp_path: Path) -> None:
    settings = LakeSettings(
        uri="s3://lake/prefix/",
        catalog="postgres:host=db password=hidden",
        s3_endpoint_url="http://127.0.0.1:9000",
        s3_access_key_id="key",
        s3_secret_access_key="hidden",
    )
    variables = dbt_environment(settings, tmp_path)
    assert variables["LAKE_DATA_PATH"] == "s3://lake/prefix/ducklake/"
    assert (variables["LAKE_S3_ENDPOINT"], variables["LAKE_S3_USE_SSL"]) == ("127.0.0.1:9000", "false")
    shown = {name for name, value in variables.items() if "hidden" in value}
    assert all(name.startswith("DBT_ENV_SECRET") for name in shown)
    relative = dbt_environment(LakeSettings(uri="here", catalog="sqlite:there"))
    assert Path(relative["LAKE_ROOT"]).is_absolute()
    assert Path(relative["DBT_ENV_SECRET_LAKE_CATALOG"].partition(":")[2]).is_absolute()
