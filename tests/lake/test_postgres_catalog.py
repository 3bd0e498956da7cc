"""A catalog in PostgreSQL, where no lock keeps writers apart: what they count and record stays right."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from contracts.errors import LakeBusy, NothingPublished
from lake.catalog import writer
from lake.catalog.connection import connect
from lake.catalog.writer import one_publisher
from lake.publish.audits import recorded_audits
from lake.publish.digests import known_files
from lake.settings import LakeSettings
from pipeline.verify.published import verify_published
from tests.lake.published import fill_with_numbers
from tests.lake.servers import postgres_binaries, postgres_service

pytestmark = pytest.mark.long
PROJECT = Path(__file__).parents[2]
WRITERS, TIMES, PASSWORD = 3, 3, "word-of-mouth"
BEGIN = """
import sys
from lake.catalog.connection import connect
from lake.publish.audits import record_audit
from lake.publish.digests import record_digests
from lake.settings import LakeSettings
from tests.lake.test_audits import record
lake = LakeSettings(uri=sys.argv[1], catalog=sys.argv[2])
"""
AUDIT = f"""{BEGIN}
for snapshot in range({TIMES}):
    record_audit(lake, record(snapshot))
"""
# All are there before the first begins: each prints a line, and waits for one.
DIGESTS = f"""{BEGIN}
with connect(lake, write=True) as connection:
    print("there", flush=True)
    input()
    record_digests(lake, connection)
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    binaries = postgres_binaries()
    assert binaries, "Install it: apt-get install --no-install-recommends postgresql"
    with postgres_service(binaries, PASSWORD) as found:
        yield found


@pytest.fixture
def lake(tmp_path: Path, port: int) -> LakeSettings:
    name, account = tmp_path.name.replace("-", "_"), f"user=postgres password={PASSWORD}"
    server = psycopg2.connect(f"host=127.0.0.1 port={port} {account}")
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f'create database "{name}"')
    server.close()
    found = LakeSettings(
        uri=str(tmp_path / "lake"), catalog=f"postgres:host=127.0.0.1 port={port} dbname={name} {account}"
    )
    (tmp_path / "lake").mkdir()
    return fill_with_numbers(found)


def begin(lake: LakeSettings, code: str) -> list[subprocess.Popen[str]]:
    command = [sys.executable, "-c", code, lake.uri, lake.catalog]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return [subprocess.Popen(command, cwd=PROJECT, **pipes) for _ in range(WRITERS)]  # type: ignore[call-overload]


def test_audits_that_are_recorded_at_once_all_get_a_number(lake: LakeSettings) -> None:
    assert [one.communicate(timeout=120) and one.returncode for one in begin(lake, AUDIT)] == [0] * WRITERS
    numbers = [audit_id for audit_id, _ in recorded_audits(lake, 99)]
    assert sorted(numbers) == list(range(1, WRITERS * TIMES + 1))


def test_who_waits_too_long_for_another_publication_is_told(
    lake: LakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOCK_TIMEOUT_S", 1)
    with (
        one_publisher(lake),
        pytest.raises(LakeBusy, match="the lock of ducklake_metadata in PostgreSQL"),
        one_publisher(lake),
    ):
        pass


def test_nothing_is_published_without_a_catalog(lake: LakeSettings) -> None:
    empty = lake.model_copy(update={"catalog": re.sub(r"dbname=\w+", "dbname=template1", lake.catalog)})
    with pytest.raises(NothingPublished, match="no catalog"), one_publisher(empty):
        pass


def test_files_that_several_record_at_once_are_whole(lake: LakeSettings) -> None:
    for number in range(TIMES):
        with connect(lake, write=True) as connection:
            connection.execute(f"insert into gold.numbers from range({number}, {number} + 3)")
        writers = begin(lake, DIGESTS)
        assert {one.stdout and one.stdout.readline() for one in writers} == {"there\n"}
        for one in writers:
            assert one.stdin
            one.stdin.write("\n")
            one.stdin.flush()
        assert [one.communicate(timeout=120) and one.returncode for one in writers] == [0] * WRITERS
    assert verify_published(lake).faults == ()
    with connect(lake) as connection:
        files = [file.file_id for file in known_files(lake, connection).files]
    assert len(files) == len(set(files)) > TIMES
