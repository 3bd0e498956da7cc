"""What `canopy lake …` shows of audits, publications and landings that are held back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from canopy.commands.lake import lake_commands
from contracts.errors import NotHeld, NothingPublished
from lake.bronze.held import hold
from lake.catalog.connection import connect, current_snapshot
from lake.objects import open_objects
from lake.publish.audits import AuditRecord, record_audit
from lake.publish.pointer import publish
from lake.settings import LakeSettings
from tests.lake.landed import lake_in

Canopy = Callable[..., Result]
LANDING = "20261122T120500000000Z-aa"
MOMENT = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LakeSettings:
    settings = lake_in(tmp_path)
    monkeypatch.setenv("LAKE_URI", settings.uri)
    monkeypatch.setenv("LAKE_CATALOG", settings.catalog)
    return settings


@pytest.fixture
def canopy(lake: LakeSettings) -> Canopy:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(lake_commands, list(arguments), catch_exceptions=True)

    return run


def test_without_a_lake_there_is_nothing_to_show(canopy: Canopy) -> None:
    assert (canopy("publications").stdout, canopy("audits").stdout) == ("", "")
    assert canopy("held").stdout == "No landing is held back.\n"
    assert isinstance(canopy("docs").exception, NothingPublished)


def test_held_landings_are_listed_with_their_findings_until_they_are_released(
    lake: LakeSettings, canopy: Canopy
) -> None:
    hold(open_objects(lake), LANDING, ["psi=1.5 feature=slope_deg", "volume_factor=12"])
    first, *findings = canopy("held").stdout.splitlines()
    assert first.startswith(f"{LANDING}  since 20")
    assert [line.strip() for line in findings] == ["psi=1.5 feature=slope_deg", "volume_factor=12"]
    assert "canopy refine" in canopy("release", LANDING).stdout
    assert canopy("held").stdout == "No landing is held back.\n"
    assert isinstance(canopy("release", LANDING).exception, NotHeld)


def test_audits_and_publications_are_shown_with_each_other(lake: LakeSettings, canopy: Canopy) -> None:
    with connect(lake, write=True) as writer:
        for name in ("landings", "observations", "quarantine"):
            writer.execute(
                f"create schema if not exists silver; create table silver.{name} (landing_id varchar)"
            )
        writer.execute(f"create schema gold; insert into silver.landings values ('{LANDING}'), ('b')")
        snapshot = current_snapshot(writer)
    for failures, held in ((("psi=1.5",), (LANDING,)), ((), ())):
        record_audit(
            lake,
            AuditRecord(
                snapshot, MOMENT, 4.2, not failures, 45, failures, ("too old",), (LANDING, "b"), held
            ),
        )
    publish(lake, snapshot, "44 of 45", seconds=3.0)
    passed, warning, failed, failure, _ = canopy("audits").stdout.splitlines()
    shown = f"snapshot {snapshot:<6} 2026-11-22 12:30:00"
    assert passed == f"   2  {shown}  passed, 45 expectations, 2 landings judged, 0 held back, 4.2 s"
    assert failed == f"   1  {shown}  failed, 45 expectations, 2 landings judged, 1 held back, 4.2 s"
    assert (warning.strip(), failure.strip()) == ("warning: too old", "failed: psi=1.5")
    assert len(canopy("audits", "--limit", "1").stdout.splitlines()) == 2
    (line,) = canopy("publications").stdout.splitlines()
    assert line.startswith(f"   1  snapshot {snapshot}")
    found = re.search(r"2 landings \(2 new\), 0 rows, 0 quarantined, audit 2, ([\d.]+) s$", line)
    assert found, line
    assert float(found[1]) >= 7.2  # three for the build, 4.2 for the audit, and what publishing took
