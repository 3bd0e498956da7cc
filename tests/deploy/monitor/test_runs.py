"""Runs that failed and DAGs that cannot be read, as Airflow's API tells of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from contracts.errors import ServiceUnavailable, SettingsInvalid
from deploy.monitor.runs import RunsCheck
from tests.deploy.monitor.looking import NOW, monitor_settings, trips

PASSWORD = "viewers-only"


class Airflow:
    """As much of Airflow's API as is asked; tests/dags asks the real one."""

    def __init__(self) -> None:
        self.runs: dict[str, list[str]] = {"collect": ["success"], "refine": ["success"]}
        self.errors: list[dict[str, str]] = []
        self.url = ""

    def answer(self, path: str) -> dict[str, Any]:
        """What one page says."""
        if path.endswith("/importErrors"):
            return {"import_errors": self.errors}
        if path.endswith("/taskInstances"):
            return {"task_instances": [{"task_id": "land"}]}
        asked = path.split("/")[4]
        found = [_run(dag, state, n) for dag, states in self.runs.items() for n, state in enumerate(states)]
        kept = [run for run in found if asked == run["dag_id"]]
        return {"dag_runs": kept}


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    made = Airflow()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            is_known = body["password"] == PASSWORD
            self._say(201 if is_known else 401, {"access_token": "token"} if is_known else {})

        def do_GET(self) -> None:
            self._say(200, made.answer(urlsplit(self.path).path))

        def _say(self, status: int, fields: dict[str, Any]) -> None:
            body = json.dumps(fields).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def look(airflow: Airflow, tmp_path: Path) -> RunsCheck:
    file = tmp_path / "passwords.json"
    file.write_text(json.dumps({"watcher": PASSWORD}))
    account = {"airflow_username": "watcher", "airflow_password_file": file}
    return RunsCheck(monitor_settings(tmp_path, airflow_url=airflow.url, **account))


def test_a_failed_run_is_told_with_its_task_and_its_page_until_a_later_one_succeeds(
    airflow: Airflow, look: RunsCheck
) -> None:
    assert trips(look, "RunFailed") == []
    airflow.runs["collect"] = ["running", "failed", "success", "failed"]
    (found,) = trips(look, "RunFailed")
    assert found.subject == "collect"
    assert "Run collect-1 of collect failed in land" in found.text
    assert f"{airflow.url}/dags/collect/runs/collect-1" in found.text
    airflow.runs["collect"] = ["success", "failed"]
    assert trips(look, "RunFailed") == []


def test_a_dag_that_cannot_be_read_is_told_with_the_last_line_of_why(
    airflow: Airflow, look: RunsCheck
) -> None:
    airflow.errors = [
        {"filename": "/dags/refine.py", "stack_trace": "Traceback…\n  line\nImportError: no lake\n"}
    ]
    (found,) = trips(look, "DagBroken")
    assert found.text == "Airflow cannot read /dags/refine.py: ImportError: no lake"


def test_an_airflow_that_is_away_ends_no_alert_and_is_told_by_who_looks_at_parts(
    look: RunsCheck, airflow: Airflow, tmp_path: Path
) -> None:
    account = {"airflow_username": "watcher", "airflow_password_file": tmp_path / "passwords.json"}
    away = RunsCheck(monitor_settings(tmp_path, airflow_url="http://127.0.0.1:9", **account))
    found = away.check(NOW)
    assert (found.findings, found.undecided) == ((), {"RunFailed", "DagBroken"})


def test_without_an_account_nobody_asks(tmp_path: Path) -> None:
    look = RunsCheck(monitor_settings(tmp_path, airflow_url="http://127.0.0.1:9"))
    assert look.check(NOW).undecided == {"RunFailed", "DagBroken"}


def test_another_password_is_taken_up_and_none_is_in_a_message(
    airflow: Airflow, look: RunsCheck, tmp_path: Path
) -> None:
    file = tmp_path / "passwords.json"
    file.write_text(json.dumps({"watcher": "not-that-one"}))
    with pytest.raises(ServiceUnavailable) as refused:
        look.check(NOW)
    assert "not-that-one" not in str(refused.value)
    file.write_text("{}")
    with pytest.raises(SettingsInvalid, match="UI_AIRFLOW_PASSWORD_FILE"):
        look.check(NOW)
    file.write_text(json.dumps({"watcher": PASSWORD}))
    assert trips(look, "RunFailed") == []


def _run(dag: str, state: str, number: int) -> dict[str, Any]:
    return {
        "dag_id": dag,
        "dag_run_id": f"{dag}-{number}",
        "state": state,
        "start_date": None,
        "end_date": None,
    }
