"""Each move of the pointer is a row: its audit, its new landings, how long it took."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from lake.catalog.connection import connect, current_snapshot
from lake.publish.audits import AuditRecord, record_audit
from lake.publish.pointer import Publication, latest, publish, published
from lake.settings import LakeSettings
from tests.lake.landed import lake_in

SCHEMA = """
create schema silver; create schema gold;
create table silver.landings (
    landing_id varchar, accepted_rows bigint, quarantined_rows bigint, new_rows bigint
);
create table silver.observations (row_id varchar);
create table silver.quarantine (landing_id varchar);
"""
LAND = "insert into silver.landings values ('{}', 10, 0, 10)"


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    settings = lake_in(tmp_path)
    with connect(settings, write=True) as writer:
        writer.execute(SCHEMA)
    return settings


def publish_after(lake: LakeSettings, *statements: str, is_audited: bool = True) -> Publication:
    with connect(lake, write=True) as writer:
        for statement in statements:
            writer.execute(statement)
        snapshot = current_snapshot(writer)
    if is_audited:
        moment = datetime(2026, 11, 22, tzinfo=UTC)
        record_audit(lake, AuditRecord(snapshot, moment, 30.0, True, 45, (), (), (), ()))
    return publish(lake, snapshot, "45 of 45", seconds=100)


def new_landings(lake: LakeSettings) -> list[tuple[str, ...] | None]:
    return [new for _, new in published(lake)]


def test_a_publication_names_its_audit_and_what_build_audit_and_publication_took(lake: LakeSettings) -> None:
    first = publish_after(lake, LAND.format("a"))
    second = publish_after(lake, LAND.format("b"))
    assert (first.audit_id, second.audit_id) == (1, 2)
    assert first.seconds is not None
    assert 130 < first.seconds < 190
    assert latest(lake) == second
    unaudited = publish_after(lake, LAND.format("c"), is_audited=False)
    assert unaudited.audit_id is None
    assert [found for found, _ in published(lake)] == [unaudited, second, first]


@pytest.mark.long
def test_landings_are_new_once_and_again_when_their_rows_are_judged_otherwise(lake: LakeSettings) -> None:
    publish_after(lake, LAND.format("a"), LAND.format("b"))
    publish_after(lake, LAND.format("c"))
    publish_after(lake, "update silver.landings set new_rows = 5 where landing_id = 'a'")  # one came late
    publish_after(
        lake, "update silver.landings set accepted_rows = 0, quarantined_rows = 10 where landing_id = 'b'"
    )
    assert new_landings(lake) == [("b",), (), ("c",), ("a", "b")]


def test_a_lake_that_was_published_before_these_were_known_gets_the_columns(lake: LakeSettings) -> None:
    before = publish_after(lake, LAND.format("a"))
    with connect(lake, write=True) as writer:
        for column in ("new_landings", "seconds", "audit_id"):
            writer.execute(f"alter table published.publications drop column {column}")
    known = latest(lake)
    assert known is not None
    assert (known.snapshot_id, known.seconds, known.audit_id) == (before.snapshot_id, None, None)
    assert new_landings(lake) == [None]
    after = publish_after(lake, LAND.format("b"))
    assert published(lake) == [(after, ("b",)), (known, None)]
    assert after.audit_id == 2


def test_a_move_that_dies_has_moved_nothing(lake: LakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What dies on the way leaves the pointer where it was."""
    first = publish_after(lake, LAND.format("a"))
    monkeypatch.setattr("lake.publish.pointer.INSERT", "insert into nowhere values (?)")
    with pytest.raises(duckdb.Error):
        publish_after(lake, LAND.format("b"))
    assert latest(lake) == first
    assert len(published(lake)) == 1
