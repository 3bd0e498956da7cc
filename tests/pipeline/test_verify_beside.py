"""A lake that is proven while others publish into it: what they do is no fault."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lake.catalog.connection import connect
from lake.publish import digests
from lake.publish.digests import RECORDS, known_files, record_digests, records_fault
from lake.settings import LakeSettings
from pipeline.verify.published import verify_published
from tests.lake.landed import lake_in
from tests.lake.published import fill_with_numbers, publish_after

MORE = "insert into gold.numbers from range({start}, {start} + 3)"


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return fill_with_numbers(lake_in(tmp_path))


@pytest.mark.parametrize("publications", [1, pytest.param(3, marks=pytest.mark.long)])
def test_an_analysts_file_that_is_published_anew_meanwhile_is_no_fault(
    lake: LakeSettings, publications: int
) -> None:
    left = list(range(publications))

    def publish_meanwhile(*_: object) -> None:
        if left:
            publish_after(lake, MORE.format(start=10 * left.pop()))

    assert verify_published(lake, publish_meanwhile).faults == ()
    assert left == []


@pytest.mark.parametrize("asked_before", range(3))
def test_digests_that_are_recorded_and_published_between_two_questions_are_not_said_to_be_removed(
    lake: LakeSettings, asked_before: int
) -> None:
    with connect(lake, write=True) as connection:
        connection.execute(MORE.format(start=10))
        known = known_files(lake, Disturbed(lake, connection, asked_before))  # type: ignore[arg-type]
        assert records_fault(known) is None
        assert records_fault(known_files(lake, connection)) is None


def test_a_file_that_two_recorded_at_once_is_no_fault_unless_they_differ(
    lake: LakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(lake, write=True) as connection:
        connection.execute(MORE.format(start=10))
        recording = digests._digests

        def after_another(*arguments: Any) -> Any:
            monkeypatch.setattr(digests, "_digests", recording)
            assert record_digests(lake, connection) == 1
            return recording(*arguments)

        monkeypatch.setattr(digests, "_digests", after_another)
        assert record_digests(lake, connection) == 1
        newest = f"from {RECORDS} order by file_id desc, recorded_at limit 2"
        first, second = connection.execute(newest).fetchall()
        assert first[:4] == second[:4]
    assert verify_published(lake).faults == ()
    with connect(lake, write=True) as connection:
        connection.execute(f"insert into {RECORDS} values (?, ?, ?, 'another', now())", first[:3])
    (fault,) = verify_published(lake).faults
    assert "another was recorded" in fault


class Disturbed:
    """A connection on which others record and publish the newest files after so many questions."""

    def __init__(self, lake: LakeSettings, connection: duckdb.DuckDBPyConnection, asked_before: int) -> None:
        self._lake, self._connection, self._left = lake, connection, asked_before

    def execute(self, query: str) -> Answered:
        if self._left == 0:
            record_digests(self._lake, self._connection)
            known = known_files(self._lake, self._connection, "false")
            self._connection.execute(f"update published.publications set files_until = {known.until}")
        self._left -= 1
        return Answered(self._connection.execute(query).fetchall())


class Answered:
    """Rows that were read before anybody else did anything."""

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = list(rows)

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows
