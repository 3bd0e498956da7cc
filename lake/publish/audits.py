"""What each audit said: one row of the lake table `published.audits` an audit."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

import duckdb

from contracts.errors import NothingPublished
from lake.catalog.connection import connect
from lake.catalog.tables import has_table
from lake.catalog.writer import one_publisher
from lake.settings import LakeSettings

CREATE = """
create schema if not exists published;
create table if not exists published.audits (
    audit_id bigint, snapshot_id bigint, audited_at timestamptz, seconds double, is_passed boolean,
    expectations bigint, failures varchar[], warnings varchar[], landings varchar[], held varchar[]
)
"""


INSERT = "insert into published.audits values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class AuditRecord:
    """One audit.

    Attributes:
        snapshot_id: The DuckLake snapshot that was looked at.
        audited_at: When it was over, UTC.
        seconds: How long it took.
        is_passed: Whether the snapshot may be published.
        expectations: How many there were.
        failures: What did not hold.
        warnings: What did not hold and does not matter enough.
        landings: The landings that were judged as a whole.
        held: Those of them that were held back.
    """

    snapshot_id: int
    audited_at: datetime
    seconds: float
    is_passed: bool
    expectations: int
    failures: tuple[str, ...]
    warnings: tuple[str, ...]
    landings: tuple[str, ...]
    held: tuple[str, ...]


def record_audit(settings: LakeSettings, record: AuditRecord) -> int:
    """Writes down what an audit said.

    Returns: the audit's number, counting from 1.
    Raises: LakeBusy.
    """
    with one_publisher(settings), connect(settings, write=True) as connection:
        connection.execute("begin")
        connection.execute(CREATE)
        found = connection.execute("select coalesce(max(audit_id), 0) + 1 from published.audits").fetchone()
        audit_id = int(found[0]) if found else 1
        values = [list(value) if isinstance(value, tuple) else value for value in astuple(record)]
        connection.execute(INSERT, [audit_id, *values])
        connection.execute("commit")
    return audit_id


def recorded_audits(settings: LakeSettings, limit: int) -> list[tuple[int, AuditRecord]]:
    """Returns the last audits with their numbers, newest first."""
    try:
        with connect(settings) as connection:
            if not has_table(connection, "published.audits"):
                return []
            query = "from published.audits order by audit_id desc limit ?"
            rows = connection.execute(query, [limit]).fetchall()
    except NothingPublished:
        return []
    return [(row[0], _record(row[1:])) for row in rows]


def passed_audit(connection: duckdb.DuckDBPyConnection, snapshot_id: int) -> tuple[int | None, float]:
    """Returns the newest audit that a snapshot has passed, and its seconds; none where nobody audited it."""
    if not has_table(connection, "published.audits"):
        return None, 0.0
    found = connection.execute(
        "select audit_id, seconds from published.audits where snapshot_id = ? and is_passed "
        "order by audit_id desc limit 1",
        [snapshot_id],
    ).fetchone()
    return (int(found[0]), float(found[1])) if found else (None, 0.0)


def _record(row: tuple[Any, ...]) -> AuditRecord:
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in row]
    return AuditRecord(*values)
