"""Whatever can be wrong has a rule with a test, a row that says what to do, and a test that trips it."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from contracts.stack_settings import PROJECT
from deploy.monitor.figures import FIGURES
from deploy.monitor.kinds import KINDS
from tests.attacks import test_told, test_told_prepared
from tests.attacks.told import was_told
from tests.deploy.monitor import (
    test_asides,
    test_book,
    test_bronze,
    test_machine,
    test_parts,
    test_predictions,
    test_runs,
    test_tables,
)

PROMETHEUS = PROJECT / "docker" / "prometheus"
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
TESTED = [
    test
    for one in yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    for test in one["alert_rule_test"]
]
ROWS = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", (PROJECT / "docs" / "incidents.md").read_text(), re.M)
STACK = (PROJECT / "docs" / "stack.md").read_text()

TRIPPED_BY: dict[str, Callable[..., None]] = {
    "PartDown": test_parts.test_a_part_that_runs_and_answers_no_more_is_told,
    "PartRestarted": test_parts.test_a_part_that_was_started_again_is_told_for_a_while,
    "LandingStale": test_bronze.test_a_group_that_nothing_lands_of_is_stale_and_the_other_is_not,
    "LandingFromFuture": test_bronze.test_a_landing_from_the_future_is_told_and_hides_no_standstill,
    "LandingHeld": test_bronze.test_a_landing_is_held_back_until_a_person_lets_it_in,
    "ThingQuarantined": test_asides.test_what_was_put_aside_is_told_with_its_reason_until_it_is_taken_out,
    "PublicationLate": test_tables.test_a_landing_that_waits_too_long_for_its_publication_is_told,
    "AuditFailed": test_tables.test_an_audit_that_failed_is_told_until_one_passes,
    "AccuracyLow": test_tables.test_a_champion_that_keeps_less_than_it_promised_is_told_after_some_landings,
    "RunFailed": test_runs.test_a_failed_run_is_told_with_its_task_and_its_page_until_a_later_one_succeeds,
    "DagBroken": test_runs.test_a_dag_that_cannot_be_read_is_told_with_the_last_line_of_why,
    "NoChampion": test_predictions.test_a_service_without_a_model_is_told,
    "ModelRefused": test_predictions.test_a_refused_version_is_told,
    "PredictionsFail": test_predictions.test_errors_are_told_but_neither_single_ones_nor_a_missing_model,
    "PredictionsLost": test_predictions.test_lost_predictions_are_told_for_a_while_and_earlier_ones_are_not,
    "PredictionsWaiting": test_predictions.test_predictions_that_do_not_get_to_the_lake_are_told,
    "DiskFilling": test_machine.test_a_disk_without_the_room_that_is_wanted_is_told_once,
    "StoreFilling": test_machine.test_a_store_tells_of_its_room_as_minio_does,
    "ClockJumped": test_machine.test_a_clock_that_jumps_is_told_for_a_while,
    "BackupOld": test_machine.test_the_newest_backup_may_not_be_too_old_and_one_that_is_not_whole_is_none,
    "LookFailed": test_book.test_a_look_that_fails_is_an_alert_and_ends_none_of_its_own,
    "MessageFailed": test_book.test_what_no_address_took_is_told_again_and_is_itself_an_alert,
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_rule_a_row_and_a_test_that_trips_it(kind: str) -> None:
    assert kind in RULES
    assert [name for name, _, _ in ROWS].count(kind) == 1
    assert f'"{kind}"' in inspect.getsource(TRIPPED_BY[kind])


@pytest.mark.parametrize("name", RULES)
def test_each_rule_fires_in_a_test_and_does_not_before(name: str) -> None:
    tests = [test for test in TESTED if test["alertname"] == name]
    assert any(test["exp_alerts"] for test in tests), "nothing shows that it fires"
    known = {row for row, _, _ in ROWS} | set(
        re.findall(r"`(\w+)`", (PROJECT / "docs" / "stack.md").read_text())
    )
    assert name in known, "nobody says what to do"


def test_each_rule_fires_in_prometheus_own_words() -> None:
    assert shutil.which("promtool"), "Install it: apt-get install --no-install-recommends prometheus"
    for command in (("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")):
        done = subprocess.run(["promtool", *command], cwd=PROMETHEUS, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_tripped_and_told_by_a_monitor_that_runs(kind: str) -> None:
    """Each test with the mark `tells` is failed by `was_told` if a kind that it names was not told."""
    tests = [*vars(test_told).values(), *vars(test_told_prepared).values()]
    marks = [mark for test in tests for mark in getattr(test, "pytestmark", ())]
    assert kind in {told for mark in marks if mark.name == "tells" for told in mark.args}
    assert test_told.was_told is test_told_prepared.was_told is was_told


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_and_its_kind_are_equally_urgent(kind: str) -> None:
    severity = RULES[kind]["labels"]["severity"]
    if f'kind="{kind}"' in RULES[kind]["expr"]:
        assert severity == ("page" if KINDS[kind].is_urgent else "ticket")


def test_each_figure_is_one_that_a_look_tells() -> None:
    code = "\n".join(file.read_text() for file in (PROJECT / "deploy" / "monitor").glob("*.py"))
    told = set(re.findall(r'Figure\(\s*f?"(canopy_\w+)', code))
    named = {
        name for name in FIGURES if name not in ("canopy_alerts", "canopy_monitor_looked_timestamp_seconds")
    }
    assert {name for name in named if not any(name.startswith(one) for one in told)} == set()
