"""What audits say is written down, also by several at once and within a refine."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from lake.catalog.connection import connect
from lake.catalog.writer import one_writer
from lake.publish.audits import AuditRecord, passed_audit, record_audit, recorded_audits
from lake.settings import LakeSettings
from tests.lake.landed import lake_in

WRITERS, TIMES = 3, 3
WRITE = f"""
import sys
from pathlib import Path
from tests.lake.landed import lake_in
from tests.lake.test_audits import record
from lake.publish.audits import record_audit
for snapshot in range({TIMES}):
    record_audit(lake_in(Path(sys.argv[1])), record(snapshot))
"""


def record(snapshot_id: int, is_passed: bool = True) -> AuditRecord:
    return AuditRecord(
        snapshot_id=snapshot_id,
        audited_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
        seconds=1.5,
        is_passed=is_passed,
        expectations=45,
        failures=() if is_passed else ("psi=1.5",),
        warnings=("it's old", "a, b"),
        landings=("one", "two"),
        held=() if is_passed else ("two",),
    )


def test_an_audit_is_read_as_it_was_written(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    assert recorded_audits(lake, 5) == []
    assert record_audit(lake, record(7)) == 1
    assert record_audit(lake, record(8, is_passed=False)) == 2
    assert recorded_audits(lake, 5) == [(2, record(8, is_passed=False)), (1, record(7))]
    assert recorded_audits(lake, 1) == [(2, record(8, is_passed=False))]


def test_a_snapshot_is_vouched_for_by_the_newest_audit_that_it_passed(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    assert _passed(lake, 7) == (None, 0.0)
    for snapshot, is_passed in ((7, True), (7, True), (7, False), (8, False)):
        record_audit(lake, record(snapshot, is_passed))
    assert _passed(lake, 7) == (2, 1.5)
    assert _passed(lake, 8) == (None, 0.0)


def test_several_that_write_at_once_all_get_a_number(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    command = [sys.executable, "-c", WRITE, str(tmp_path)]
    writers = [subprocess.Popen(command, cwd=Path(__file__).parents[2]) for _ in range(WRITERS)]
    assert [writer.wait(60) for writer in writers] == [0] * WRITERS
    numbers = [audit_id for audit_id, _ in recorded_audits(lake, 99)]
    assert sorted(numbers) == list(range(1, WRITERS * TIMES + 1))


def test_who_writes_already_does_not_wait_for_itself(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    began = time.monotonic()
    with one_writer(lake):
        assert record_audit(lake, record(7)) == 1
        assert record_audit(lake, record(8)) == 2
    assert time.monotonic() - began < 30


def _passed(lake: LakeSettings, snapshot_id: int) -> tuple[int | None, float]:
    with connect(lake, write=True) as connection:
        return passed_audit(connection, snapshot_id)
