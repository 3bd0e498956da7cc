"""A run that fails is told at once, by Airflow's own way of calling back; a night of them is no flood."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.stack_settings import PROJECT, StackSettings
from deploy.local.environment import stack_environment
from pipeline.failed_run import AGAIN_AFTER_S, tell_of_failed_run
from tests.expectations.test_alerts import web_server

# Some of Apprise's 180 channels use what Python will drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# What Airflow's DAG processor does when the scheduler hands it a run that has failed.
CALL_BACK = """
import sys
import structlog
from airflow.callbacks.callback_requests import DagCallbackRequest
from airflow.dag_processing.dagbag import DagBag
from airflow.dag_processing.processor import _execute_dag_callbacks
for dag_id in ("collect", "refine", "train", "maintain"):
    request = DagCallbackRequest(
        filepath=f"{dag_id}.py", bundle_name="dags-folder", bundle_version=None, dag_id=dag_id,
        run_id=f"scheduled__{dag_id}", msg="task_failure", is_failure_callback=True,
    )
    _execute_dag_callbacks(DagBag(), request, structlog.get_logger())
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a webhook is told."""
    with web_server() as (port, taken):
        monkeypatch.setenv("ALERT_URLS", f"json://127.0.0.1:{port}/")
        monkeypatch.setenv("CANOPY_HOME", str(tmp_path))
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://127.0.0.1:8080")
        monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", "/var/log/canopy")
        yield taken


def context(dag: str = "collect", run_id: str = "scheduled__1", state: str = "failed") -> dict[str, Any]:
    task = SimpleNamespace(task_id="land", state=state)
    return {"dag": SimpleNamespace(dag_id=dag), "run_id": run_id, "reason": "task_failure", "ti": task}


def test_dag_task_run_page_and_log_are_named(told: list[dict[str, Any]]) -> None:
    tell_of_failed_run(context())
    assert (told[0]["title"], told[0]["type"]) == ("Canopy: a run of collect failed", "failure")
    assert told[0]["message"].splitlines() == [
        "Run scheduled__1: task_failure.",
        "Task: land.",
        "Page: http://127.0.0.1:8080/dags/collect/runs/scheduled__1",
        "Logs: /var/log/canopy/dag_id=collect/run_id=scheduled__1",
        "docs/incidents.md says what to do.",
    ]


def test_of_each_dag_once_an_hour(told: list[dict[str, Any]], tmp_path: Path) -> None:
    for dag in ("collect", "collect", "refine", "collect"):
        tell_of_failed_run(context(dag))
    assert [alert["title"].split()[-2] for alert in told] == ["collect", "refine"]
    mark = tmp_path / "monitor" / "failed-runs" / "collect"
    before = time.time() - AGAIN_AFTER_S - 1
    os.utime(mark, (before, before))
    tell_of_failed_run(context())
    assert len(told) == 3
    ahead = time.time() + 10**8  # the clock was wrong when it was told
    os.utime(mark, (ahead, ahead))
    tell_of_failed_run(context())
    assert len(told) == 4


def test_a_place_that_cannot_be_written_and_a_name_from_outside_stop_nobody(
    told: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "monitor").write_text("a file where a folder belongs")
    tell_of_failed_run(context(run_id="manual__\x1b[2J\nforged", state="upstream_failed"))
    assert "\x1b" not in told[0]["message"]
    assert "Run manual__\\x1b[2J\\nforged: task_failure." in told[0]["message"]
    assert "Task:" not in told[0]["message"]
    tell_of_failed_run(context("../../../escaped"))
    assert not list(tmp_path.parent.glob("escaped*"))


@pytest.mark.long
def test_airflow_calls_it_for_every_dag(tmp_path: Path) -> None:
    settings = StackSettings(home=tmp_path, _env_file=None)
    with web_server() as (port, taken):
        environment = stack_environment(settings) | {"ALERT_URLS": f"json://127.0.0.1:{port}/"}
        for command in (
            ["-m", "canopy", "lake", "manifest"],
            ["-m", "airflow", "db", "migrate"],
            ["-c", CALL_BACK],
        ):
            done = subprocess.run(
                [sys.executable, *command], env=environment, cwd=PROJECT, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
    titles = [alert["title"] for alert in taken]
    assert titles == [f"Canopy: a run of {dag} failed" for dag in ("collect", "refine", "train", "maintain")]
    logs = tmp_path / "airflow" / "logs"
    assert f"Logs: {logs}/dag_id=collect/run_id=scheduled__collect" in taken[0]["message"]
