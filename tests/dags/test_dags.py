"""The DAGs as Airflow reads them."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from canopy.cli import app
from contracts.errors import StackError
from contracts.stack_settings import PROJECT, StackSettings
from deploy.local.environment import stack_environment
from pipeline.airflow_history import Cleaned, clean_airflow
from pipeline.dbt import write_manifest
from source.simulator.server import serving
from source.simulator.settings import SimulatorSettings
from source.simulator.synthetic import generate

DBT = PROJECT / "dbt_project"

READ = """
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag()
dags = {
    dag.dag_id: {
        "tasks": {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks},
        "retries": {task.task_id: task.retries for task in dag.tasks},
        "rules": {task.task_id: task.trigger_rule.value for task in dag.tasks},
        "max_active_runs": dag.max_active_runs,
        "catchup": dag.catchup,
        "doc": dag.doc_md,
        "schedule": type(dag.timetable).__name__,
    }
    for dag in bag.dags.values()
}
print(json.dumps({"errors": {str(k): v for k, v in bag.import_errors.items()}, "dags": dags}))
"""

# What the scheduler asks a DAG that it sees for the first time, five minutes after three.
FIRST_RUN = """
from unittest.mock import patch
import pendulum
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction
dag = DagSerialization.from_dict(DagSerialization.to_dict(DagBag().dags["maintain"]))
first = {"last_automated_data_interval": None, "restriction": TimeRestriction(None, None, False)}
with patch("airflow.timetables.trigger.utcnow", return_value=pendulum.datetime(2026, 5, 4, 3, 5)):
    info = dag.timetable.next_dagrun_info(**first)
print(info.run_after.isoformat())
"""

# What dbt would build, by the very command that the task runs, and would then test.
SELECTED = """
import json
from airflow.dag_processing.dagbag import DagBag
from dbt.cli.main import dbtRunner
task = DagBag().dags["refine"].get_task("build.dbt_producer_watcher")
task.output_encoding = "utf-8"
command, _ = task.build_cmd(context={}, cmd_flags=task.add_cmd_flags())
command = command[command.index("build") :]
as_json = ["--output", "json", "--output-keys", "name resource_type"]
listed = dbtRunner().invoke(["--quiet", "list", *command[1:], *as_json])
print(json.dumps([json.loads(line) for line in listed.result]))
"""

# The task as the worker calls it, twice in one run: the second request would come too early.
STEP = """
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowRescheduleException
land = DagBag().dags["collect"].get_task("land").python_callable
began = datetime.now(UTC)
try:
    land(dag_run=SimpleNamespace(start_date=began))
except AirflowRescheduleException as later:
    print(json.dumps({"wait_s": (later.reschedule_date - began).total_seconds()}))
"""


# The task that builds, as Airflow hands it to a worker for the second time.
AGAIN = """
from types import SimpleNamespace
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowFailException
task = DagBag().dags["refine"].get_task("build.dbt_producer_watcher")
task._pre_execute_hook({"ti": SimpleNamespace(try_number=1)})
try:
    task._pre_execute_hook({"ti": SimpleNamespace(try_number=2)})
except AirflowFailException as error:
    print(error)
"""


# Runs of long ago and of now, as Airflow itself writes them down; or what is left of them.
WRITE_RUNS = """
import sys
from datetime import datetime, timedelta, timezone
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType, DagRunType
now = datetime.now(timezone.utc)
with create_session() as session:
    session.add(DagBundleModel(name="dags-folder"))
    session.flush()
    session.add(DagModel(dag_id="old", bundle_name="dags-folder", last_parsed_time=now - timedelta(days=400)))
    session.flush()
    for days in (50, 40, 31, 29, 0):
        at = now - timedelta(days=days)
        run = DagRun(
            dag_id="old", run_id=f"run-{days}", run_type=DagRunType.SCHEDULED, state="success", start_date=at,
            logical_date=at, run_after=at, triggered_by=DagRunTriggeredByType.TIMETABLE,
        )
        entry = Log(event="event")
        entry.dttm = at
        session.add_all([run, entry])
"""
READ_RUNS = """
select
    (select group_concat(run_id) from (select run_id from dag_run where dag_id = 'old' order by run_id)),
    (select count(*) from log where event = 'event'),
    (select count(*) from dag where dag_id = 'old'),
    (select count(*) from sqlite_master where name like '%archive%')
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    settings = StackSettings(home=tmp_path_factory.mktemp("home"), _env_file=None)
    write_manifest(settings.folder / "dbt" / "target")
    environment = stack_environment(settings)
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env=environment, check=True, capture_output=True)
    return environment


@pytest.fixture(scope="module")
def dags(environment: dict[str, str]) -> dict[str, Any]:
    return read_dags(environment)


def last_line(script: str, environment: dict[str, str]) -> str:
    """What a process that reads the DAGs says in the end."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]


def read_dags(environment: dict[str, str]) -> dict[str, Any]:
    found = json.loads(last_line(READ, environment))
    assert found["errors"] == {}
    by_name: dict[str, Any] = found["dags"]
    return by_name


def models() -> set[str]:
    """Those that dbt builds: an ephemeral one is a part of others."""
    files = {file.stem: file.read_text() for file in (DBT / "models").rglob("*.sql")}
    return {name for name, text in files.items() if "materialized='ephemeral'" not in text.replace(" ", "")}


def test_there_are_four_and_none_runs_twice_at_once(dags: dict[str, Any]) -> None:
    assert sorted(dags) == ["collect", "maintain", "refine", "train"]
    for dag in dags.values():
        assert dag["max_active_runs"] == 1
        assert dag["catchup"] is False


def test_every_model_of_dbt_is_a_task_before_the_audit_and_the_publication(dags: dict[str, Any]) -> None:
    tasks = dags["refine"]["tasks"]
    assert models() == {
        task.removeprefix("build.").removesuffix("_run") for task in tasks if task.endswith("_run")
    }
    assert tasks["publish"] == ["audit"]
    assert any(task.startswith("build.") for task in tasks["audit"])


def test_the_champion_is_asked_before_dbt_builds_and_nothing_waits_for_its_answer_in_vain(
    dags: dict[str, Any],
) -> None:
    refine = dags["refine"]
    first = [name for name, before in refine["tasks"].items() if "ask" in before]
    assert "build.dbt_producer_watcher" in first
    assert all(refine["tasks"][name] == ["ask"] for name in first)
    assert {refine["rules"][name] for name in first} == {"all_done"}
    assert refine["tasks"]["ask"] == ["look"]
    assert refine["rules"]["ask"] == "all_done"
    assert [name for name, before in refine["tasks"].items() if not before] == ["look"]


def test_a_person_is_asked_before_a_model_answers_where_that_is_set(
    dags: dict[str, Any], environment: dict[str, str]
) -> None:
    assert dags["train"]["tasks"] == {"learn": []}
    asking = read_dags(environment | {"TRAINING_APPROVAL": "true"})["train"]["tasks"]
    assert asking == {
        "learn": [],
        "waiting": ["learn"],
        "approve": ["waiting"],
        "answer": ["approve", "waiting"],
    }


@pytest.mark.long
def test_dbt_builds_all_models_and_runs_all_tests_on_their_data(environment: dict[str, str]) -> None:
    selected: dict[str, set[str]] = {}
    for node in json.loads(last_line(SELECTED, environment)):
        selected.setdefault(node["resource_type"], set()).add(node["name"])
    assert selected["model"] == models()
    assert selected["test"] >= {path.stem for path in (DBT / "tests").glob("*.sql")}
    assert selected.keys() <= {"model", "test", "seed"}


def test_a_build_is_not_tried_again_model_by_model(dags: dict[str, Any]) -> None:
    retries = dags["refine"]["retries"]
    assert {retries[task] for task in retries if task.endswith(("_run", "_watcher"))} == {0}


def test_a_build_whose_worker_was_lost_fails_its_run(environment: dict[str, str]) -> None:
    """Cosmos would skip it at its second start, and the run would end well with nothing published."""
    assert "canopy refine" in last_line(AGAIN, environment)


def test_the_daily_round_waits_for_its_hour(dags: dict[str, Any], environment: dict[str, str]) -> None:
    """Also where the stack is first started soon after it: then there is nothing to tend yet."""
    assert last_line(FIRST_RUN, environment) == "2026-05-05T03:00:00+00:00"


def test_a_collecting_task_hands_its_worker_back_while_it_waits(tmp_path: Path) -> None:
    settings = StackSettings(home=tmp_path, _env_file=None)
    simulator = SimulatorSettings(window_s=300, state=tmp_path / "source.json")
    with serving(simulator, generate(1_000, seed=1)) as url:
        environment = stack_environment(settings) | {"SOURCE_URL": url, "SOURCE_PACE_S": "60"}
        # Nobody answers there: that the monitor does not look is noticed on the way.
        environment |= {"ALERT_URLS": "json://127.0.0.1:9/", "CANOPY_MONITOR_URL": "http://127.0.0.1:9"}
        stepped = json.loads(last_line(STEP, environment))
    assert (tmp_path / "monitor" / "blind").read_text() == "noticed\n"
    assert stepped["wait_s"] == pytest.approx(60, abs=15)
    assert len(list((tmp_path / "lake" / "bronze" / "rows").rglob("*.parquet"))) == 1


def runs_left(settings: StackSettings) -> tuple[str, int, int, int]:
    """What is written down of the DAG `old`: runs, entries, itself; and tables of what was removed."""
    with closing(sqlite3.connect(settings.folder / "airflow" / "airflow.sqlite")) as database:
        left: tuple[str, int, int, int] = database.execute(READ_RUNS).fetchone()
        return left


@pytest.mark.long
@pytest.mark.timeout(900)  # four programs of Airflow, each of which imports all of it
def test_airflow_forgets_what_is_old_and_its_logs(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also out of a task, which Airflow keeps from its database."""
    for section in ("CORE", "DATABASE"):
        monkeypatch.setenv(f"AIRFLOW__{section}__SQL_ALCHEMY_CONN", "airflow-db-not-allowed:///")
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
    subprocess.run([sys.executable, "-c", WRITE_RUNS], env=environment, check=True)
    settings = StackSettings(home=Path(environment["CANOPY_HOME"]), _env_file=None)
    logs = settings.folder / "airflow" / "logs"
    place = logs / "dag_id=old"
    for run, days in (("run_id=50", 50), ("run_id=29", 29)):
        (place / run).mkdir(parents=True)
        (place / run / "attempt=1.log").write_text("said")
        at = time.time() - days * 86_400
        os.utime(place / run / "attempt=1.log", (at, at))
    (logs / "another's.log").write_text("kept")
    os.utime(logs / "another's.log", (0, 0))
    (place / "run_id=29" / "link.log").symlink_to(logs / "another's.log")
    dry = clean_airflow(settings, is_dry=True)
    assert runs_left(settings) == ("run-0,run-29,run-31,run-40,run-50", 5, 1, 0)
    done = clean_airflow(settings)
    assert (dry.rows, dry.logs, done.logs, done.log_bytes) == (done.rows, 1, 1, 4)
    assert done.rows >= 6
    assert runs_left(settings) == ("run-0,run-29", 2, 1, 0)
    assert [path.name for path in place.iterdir()] == ["run_id=29"]
    assert (logs / "another's.log").exists()


def test_without_an_airflow_there_is_nothing_to_clean(tmp_path: Path) -> None:
    settings = StackSettings(home=tmp_path / "home", _env_file=None)
    assert clean_airflow(settings) == Cleaned(0, 0, 0, False)
    assert not settings.folder.exists()


@pytest.mark.long
def test_what_airflow_says_is_passed_on(tmp_path: Path) -> None:
    settings = StackSettings(home=tmp_path, _env_file=None)
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "airflow.sqlite").write_bytes(b"no database" * 1_000)
    with pytest.raises(StackError, match="could not clean its database"):
        clean_airflow(settings)


def test_timetables_are_thin_and_name_the_command_for_the_hand() -> None:
    for name in ("collect", "maintain", "refine", "train"):
        text = (PROJECT / "dags" / f"{name}.py").read_text()
        assert len(text.splitlines()) <= 40, name
        assert re.search(r'by_hand="canopy \w+|By hand: `canopy \w+', text), name
    for file in sorted((PROJECT / "dags").glob("*.py")):
        text = file.read_text()
        assert not re.search(r"\bselect\b|httpx|import requests|dbt_producer_watcher", text), file


def test_each_step_is_there_and_its_command_too(dags: dict[str, Any]) -> None:
    """A step is imported when it runs: a name that is none would be found by a run alone."""
    text = "".join(file.read_text() for file in (PROJECT / "dags").glob("*.py"))
    steps = re.findall(r'"(pipeline\.\w+):(\w+)"', text)
    assert len(steps) >= sum(len(dag["tasks"]) for dag in dags.values()) - len(models()) - 1
    for module, function in steps:
        assert callable(getattr(import_module(module), function))
    groups = {tuple(name.split()) for name in re.findall(r'by_hand="canopy ([^"]+)"', text)}
    for words in groups:
        command = typer.main.get_command(app)
        for word in words:
            command = command.commands[word]  # type: ignore[attr-defined]


def test_a_dag_file_bears_no_package_s_name() -> None:
    packages = {path.parent.name for path in PROJECT.glob("*/__init__.py")} | set(sys.stdlib_module_names)
    assert not packages & {path.stem for path in (PROJECT / "dags").glob("*.py")}
