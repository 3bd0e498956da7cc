"""What the lake's tables say, read by a process of its own from a real lake: publication, audit, accuracy."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from contracts.errors import CatalogUnusable
from deploy.monitor import tables
from deploy.monitor.tables import TablesCheck, findings
from deploy.monitor.tables_process import check
from lake.publish.audits import AuditRecord, record_audit
from lake.settings import LakeSettings
from tests.deploy.monitor.looking import NOW, Pages, monitor_settings, pages, trips
from tests.deploy.monitor.test_bronze import land
from tests.lake.landed import lake_in
from tests.lake.published import make_countable, publish_after

LATE = NOW + timedelta(hours=1)
MODELS = "/api/2.0/mlflow"
LIVE = """
create table gold.live_scores (
    landing_id varchar, asked_by varchar, model_version integer, right_rows bigint, scored_rows bigint,
    accuracy double, accuracy_high double
)
"""


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LakeSettings:
    made = lake_in(tmp_path)
    monkeypatch.setenv("LAKE_URI", made.uri)
    monkeypatch.setenv("LAKE_CATALOG", made.catalog)
    monkeypatch.setenv("TRAINING_MLFLOW_URL", "http://127.0.0.1:9")
    return made


def found_in(lake: LakeSettings, folder: Path, now: datetime = NOW) -> dict[str, str]:
    """What is found of each kind, in this process: one of its own takes seconds."""
    return {one.kind: one.text for one in findings(check(lake, 3), monitor_settings(folder), now)}


def test_where_there_is_no_lake_nothing_is_wrong(lake: LakeSettings, tmp_path: Path) -> None:
    assert found_in(lake, tmp_path, LATE) == {}


def test_a_landing_that_waits_too_long_for_its_publication_is_told(
    lake: LakeSettings, tmp_path: Path
) -> None:
    make_countable(lake)
    first, second = land(lake, NOW - timedelta(minutes=10)), land(lake, NOW)
    publish_after(lake, f"insert into silver.landings values ('{first}')")
    assert found_in(lake, tmp_path) == {}
    said = found_in(lake, tmp_path, LATE)["PublicationLate"]
    assert "published: 1, the oldest since 2026-11-22T13:00:00" in said
    publish_after(lake, f"insert into silver.landings values ('{second}')")
    assert found_in(lake, tmp_path, LATE) == {}


def test_an_audit_that_failed_is_told_until_one_passes(lake: LakeSettings, tmp_path: Path) -> None:
    make_countable(lake)
    audited(lake, is_passed=False)
    assert "psi=1.5 feature=slope_deg" in found_in(lake, tmp_path)["AuditFailed"]
    audited(lake, is_passed=True)
    assert found_in(lake, tmp_path) == {}


@pytest.mark.parametrize(
    ("highs", "is_told"), [((0.6, 0.65, 0.69), True), ((0.6, 0.71, 0.6), False), ((0.5, 0.5), False)]
)
def test_a_champion_that_keeps_less_than_it_promised_is_told_after_some_landings(
    lake: LakeSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    highs: tuple[float, ...],
    is_told: bool,
) -> None:
    make_countable(lake)
    scores = [
        (f"2026112{day}T120000000000Z-x", "landing", 3, 500, 1_000, 0.5, high)
        for day, high in enumerate(highs)
    ]
    others = [
        ("20261120T120000000000Z-x", "service", 3, 1, 1_000, 0.0, 0.0),
        ("2026", "landing", 2, 1, 9, 0.1, 0.1),
    ]
    publish_after(lake, LIVE, *(f"insert into gold.live_scores values {row}" for row in (*scores, *others)))
    with pages(champion(accuracy_low="0.7")) as url:
        monkeypatch.setenv("TRAINING_MLFLOW_URL", url)
        said = found_in(lake, tmp_path).get("AccuracyLow", "")
    assert ("Version 3 was right on 0.500" in said) is is_told


@pytest.mark.long
def test_a_process_of_its_own_looks_and_not_again_while_nothing_has_changed(
    lake: LakeSettings, tmp_path: Path
) -> None:
    before = set(psutil.Process().children())
    make_countable(lake)
    audited(lake, is_passed=False)
    looking = TablesCheck(lake, monitor_settings(tmp_path, lake_every_s=0.001), lambda: None)
    assert looking.check(NOW).undecided == set(looking.kinds)
    looking.wait()
    for _ in range(2):
        assert len(trips(looking, "AuditFailed")) == 1
    assert set(psutil.Process().children()) <= before
    Path(lake.catalog_target).write_bytes(b"\0" * 4096)
    looking.check(NOW)
    looking.wait()
    with pytest.raises(CatalogUnusable):  # which the monitor tells, and ends no alert
        looking.check(NOW)


def test_a_look_that_hangs_is_ended(
    lake: LakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "WITHIN_S", 0.0)
    before = set(psutil.Process().children())
    looking = TablesCheck(lake, monitor_settings(tmp_path), lambda: None)
    with pytest.raises(CatalogUnusable, match="within 0 s"):
        looking.check(NOW)
    assert set(psutil.Process().children()) <= before


def audited(lake: LakeSettings, *, is_passed: bool) -> None:
    failures = () if is_passed else ("psi=1.5 feature=slope_deg",)
    record_audit(lake, AuditRecord(1, datetime.now(UTC), 1.0, is_passed, 9, failures, (), (), ()))


def champion(**tags: str) -> Pages:
    """What MLflow says of its champion."""
    aliases = {"registered_model": {"aliases": [{"alias": "champion", "version": "3"}]}}
    told = [{"key": name, "value": value} for name, value in tags.items()]
    version = {"model_version": {"version": "3", "creation_timestamp": "0", "tags": told}}
    return {
        f"{MODELS}/registered-models/get": (200, json.dumps(aliases).encode()),
        f"{MODELS}/model-versions/get": (200, json.dumps(version).encode()),
    }
