"""What watches the stack: alerts that fire when they should, a prober that sees each part, a dashboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from contracts.stack_settings import PROJECT
from deploy.local.environment import local
from deploy.monitor.kinds import KINDS
from tests.deploy.stack.running import Running

PARTS = {
    "airflow",
    "mlflow",
    "serving",
    "champion",
    "ui",
    "docs",
    "monitor",
    "scheduler",
    "dag-processor",
    "triggerer",
    "postgres",
}
STOPPED = ("docs", "ui", "mlflow")
DASHBOARD = json.loads((PROJECT / "docker" / "grafana" / "dashboards" / "canopy.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.fixture(scope="module")
def prometheus(running: Running) -> Iterator[str]:
    """The address of Prometheus, beside the stack; Grafana has no stand-in."""
    running.compose.run("up", "--detach", "prometheus", "prober", profiles=("observe",))
    yield local(running.prometheus_port)
    running.compose.run("rm", "--force", "--stop", "prometheus", "prober", profiles=("observe",))


def ask(prometheus: str, query: str) -> list[dict[str, Any]]:
    """What Prometheus answers to a query."""
    answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}, timeout=10).json()
    assert answer["status"] == "success", answer
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


def test_each_alert_fires_when_it_should_and_not_before(running: Running, prometheus: str) -> None:
    rules = "cd /etc/prometheus && promtool check rules alerts.yml && promtool test rules alerts_test.yml"
    said = running.compose.run("exec", "-T", "prometheus", "sh", "-c", rules, profiles=("observe",))
    assert "SUCCESS: 27 rules found" in said


def test_the_prober_sees_that_each_part_is_well(running: Running, prometheus: str) -> None:
    def well() -> bool:
        return {one["metric"]["part"] for one in ask(prometheus, "probe_success == 1")} == PARTS

    running.wait_for("a good word on each part", well, within_s=120)


def test_the_prediction_service_tells_of_its_answers(running: Running, prometheus: str) -> None:
    running.wait_for("counters", lambda: ask(prometheus, "canopy_requests_total"), within_s=90)


def test_the_monitor_sees_every_part_and_tells_prometheus_of_each_kind(
    running: Running, prometheus: str
) -> None:
    def told() -> bool:
        kinds = {one["metric"]["kind"] for one in ask(prometheus, "canopy_alerts")}
        return kinds == set(KINDS) and bool(ask(prometheus, 'canopy_part_up{part="airflow-scheduler"} == 1'))

    running.wait_for("each kind of alert", told, within_s=120)
    found = httpx.get(f"{local(running.settings.monitor_port)}/alerts", timeout=10).json()
    # The lake, Airflow and the store are looked at with accounts that only read.
    assert not {one["kind"] for one in found["alerts"]} & {"LookFailed", "PartDown", "DagBroken"}, found


def test_parts_that_stop_are_told_and_are_over_when_they_answer_again(running: Running) -> None:
    def down() -> set[str]:
        found = httpx.get(f"{local(running.settings.monitor_port)}/alerts", timeout=10).json()
        return {one["subject"] for one in found["alerts"] if one["kind"] == "PartDown"}

    running.compose.run("stop", *STOPPED)
    try:
        running.wait_for("the alerts", lambda: down() >= {*STOPPED}, within_s=240)
    finally:
        running.compose.run("start", *STOPPED)
    running.wait_for("their end", lambda: not down() & {*STOPPED}, within_s=240)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_the_dashboard_asks_can_be_answered(prometheus: str, expression: str) -> None:
    ask(prometheus, expression)
