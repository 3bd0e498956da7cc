"""A catalog in PostgreSQL, where no lock keeps writers apart: what they count and record stays right."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from lake.catalog.connection import connect
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
    assert [writer.communicate(timeout=120) and writer.returncode for writer in begin(lake, AUDIT)] == [
        0
    ] * WRITERS
    numbers = [audit_id for audit_id, _ in recorded_audits(lake, 99)]
    assert sorted(numbers) == list(range(1, WRITERS * TIMES + 1))


def test_files_that_several_record_at_once_are_whole(lake: LakeSettings) -> None:
    for number in range(TIMES):
        with connect(lake, write=True) as connection:
            connection.execute(f"insert into gold.numbers from range({number}, {number} + 3)")
        writers = begin(lake, DIGESTS)
        assert {writer.stdout and writer.stdout.readline() for writer in writers} == {"there\n"}
        for writer in writers:
            assert writer.stdin
            writer.stdin.write("\n")
            writer.stdin.flush()
        assert [writer.communicate(timeout=120) and writer.returncode for writer in writers] == [0] * WRITERS
    assert verify_published(lake).faults == ()
    with connect(lake) as connection:
        files = [file.file_id for file in known_files(lake, connection).files]
    assert len(files) == len(set(files)) > TIMES
