"""The whole local stack, as `canopy up` starts it: who may ask which port, and who holds which secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from contracts.stack_settings import StackSettings
from deploy.local.environment import local
from deploy.local.parts import parts
from deploy.local.start_part import processes_of
from deploy.local.supervisor import Supervisor, temporary_folder
from deploy.secrets import AIRFLOW_ROLES, load_secrets
from tests.attacks.hosts import HEADERS, headers_of, wrongly_answered
from tests.ui.parts import free_port

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

# What of each part is asked for: a path that answers 200 to anybody.
PATHS = {
    "source": "/",
    "mlflow": "/health",
    "airflow-api": "/api/v2/monitor/health",
    "serving": "/live",
    "ui": "/_stcore/health",
    "docs": "/live",
    "monitor": "/live",
}
AIRFLOWS = {"api_secret_key", "jwt_secret", "fernet_key"}
# Which secrets are in which part's environment; a part that is not here has none.
HELD = {
    "mlflow": {"mlflow_admin_password", "mlflow_secret_key"},
    "airflow-api": AIRFLOWS,
    "airflow-dag-processor": AIRFLOWS,
    "airflow-triggerer": AIRFLOWS,
    "airflow-scheduler": AIRFLOWS | {"mlflow_training_password", "gate_key"},
    "serving": {"mlflow_serving_password"},
    "ui": {"mlflow_reader_password"},
    "monitor": {"mlflow_reader_password"},
}
# Set in the shell that starts the stack, and nothing to any part of it: each would break one.
FOREIGN = {
    "OTHER_PROJECTS_TOKEN": "not-for-canopy",
    "AWS_SECRET_ACCESS_KEY": "not-for-canopy",
    "PYTHONPATH": "/nowhere",
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CORE__SECURITY": "kerberos",
    "DBT_FULL_REFRESH": "1",
    "GUNICORN_CMD_ARGS": "--bind 127.0.0.1:1",
    "MLFLOW_DEFAULT_ARTIFACT_ROOT": "s3://mlflow/",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "true",
    "STREAMLIT_SERVER_BASE_URL_PATH": "canopy",
    "UVICORN_PORT": "1",
    "WEB_CONCURRENCY": "4",
}
# The machine as it may be: nobody answers at the proxy, the clock is the easternmost, letters are ASCII.
AROUND = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "localhost",
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "C",
}
# What only the tasks need: who collects, and who trains.
FOR_TASKS = {"SOURCE_HEADERS": '{"X-Key": "for-the-source-alone"}', "TRAINING_SEED": "20261122"}


@dataclass(frozen=True)
class Stack:
    """What runs.

    Attributes:
        settings: Folders and ports.
        secrets: Each secret by its name.
        environment: What a person's shell holds.
    """

    settings: StackSettings
    secrets: dict[str, str]
    environment: dict[str, str]

    def command(self, *words: str, **around: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of Canopy, with a few variables more."""
        return subprocess.run(
            [sys.executable, "-m", "canopy", *words],
            env=self.environment | around,
            capture_output=True,
            text=True,
            timeout=900,
        )

    def environments(self) -> dict[str, dict[str, str]]:
        """What each part's process sees."""
        states = Supervisor(self.settings.folder).states()
        return {state.part: psutil.Process(state.pid).environ() for state in states}

    def mlflow(self, method: str, path: str, user: str | None = None, **more: Any) -> int:
        """The status that MLflow answers an account with."""
        auth = (user, self.secrets[f"mlflow_{user}_password"]) if user else None
        url = f"{local(self.settings.mlflow_port)}/api/2.0/mlflow/{path}"
        return httpx.request(method, url, auth=auth, trust_env=False, timeout=60, **more).status_code

    def airflow(self, user: str) -> httpx.Client:
        """Airflow's API as this account."""
        url, password = local(self.settings.airflow_port), load_secrets(self.settings.folder).airflow[user]
        given = {"username": user, "password": password}
        token = httpx.post(f"{url}/auth/token", json=given, trust_env=False, timeout=60).json()[
            "access_token"
        ]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("stack") / "home"
    temporary = tmp_path_factory.mktemp("temporary")
    ports = {
        f"{name}_port": free_port()
        for name in ("source", "airflow", "mlflow", "serving", "ui", "docs", "monitor")
    }
    settings = StackSettings(home=home, _env_file=None, **ports)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CANOPY_", "LAKE_"))}
    environment = kept | {f"CANOPY_{name.upper()}": str(port) for name, port in ports.items()} | FOREIGN
    environment |= AROUND | FOR_TASKS | {"TMPDIR": str(temporary)}
    environment |= {"CANOPY_HOME": str(home), "CANOPY_START_TIMEOUT_S": "800"}
    secrets = home / "secrets.json"
    stack = Stack(settings, {}, environment)
    try:
        done = stack.command("up")
        assert done.returncode == 0, done.stderr
        yield replace(stack, secrets=json.loads(secrets.read_text()))
    finally:
        stack.command("down").check_returncode()


def test_no_port_answers_a_foreign_name_or_page(stack: Stack) -> None:
    listening = {part.name: part.port for part in parts(stack.settings) if part.port}
    assert set(listening) == set(PATHS), "a new part must say here what of it is asked for"
    found = {name: wrongly_answered(port, PATHS[name]) for name, port in listening.items()}
    found["websocket"] = wrongly_answered(stack.settings.ui_port, "/_stcore/stream", is_websocket=True)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_every_part_tells_browsers_what_they_may_do(stack: Stack) -> None:
    for part in parts(stack.settings):
        if part.port:
            assert headers_of(part.port, PATHS[part.name]) == set(HEADERS), part.name


def test_a_part_holds_its_own_secrets_and_nothing_of_another_project(stack: Stack) -> None:
    environments = stack.environments()
    assert set(environments) == {part.name for part in parts(stack.settings)}
    for name, environment in environments.items():
        text = "\n".join(environment.values())
        held = {secret for secret, value in stack.secrets.items() if value in text}
        assert held == HELD.get(name, set()), name
        assert not FOREIGN.items() & environment.items(), name
        assert environment["TMPDIR"] == str(temporary_folder(stack.settings.folder)), name
        assert FOR_TASKS.keys() & environment.keys() == (
            FOR_TASKS.keys() if name == "airflow-scheduler" else set()
        ), name


def test_mlflow_asks_everybody_who_they_are(stack: Stack) -> None:
    moved = {"name": "canopy-covertype", "alias": "champion", "version": "1"}
    assert stack.mlflow("GET", "registered-models/search") == 401
    assert stack.mlflow("POST", "registered-models/alias", json=moved) == 401
    for user in ("reader", "serving", "training"):
        assert stack.mlflow("GET", "registered-models/search", user) == 200
        assert stack.mlflow("POST", "experiments/search", user, json={"max_results": 5}) == 200


@pytest.mark.parametrize("user", ["reader", "serving"])
def test_who_only_reads_in_mlflow_can_make_and_move_nothing(stack: Stack, user: str) -> None:
    made = {"name": f"made by {user}"}
    moved = {"name": "canopy-covertype", "alias": "champion", "version": "1"}
    assert stack.mlflow("POST", "experiments/create", user, json=made) == 403
    assert stack.mlflow("POST", "registered-models/create", user, json=made) == 403
    assert stack.mlflow("POST", "registered-models/alias", user, json=moved) == 403
    assert stack.mlflow("DELETE", "registered-models/delete", user, json={"name": "canopy-covertype"}) == 403


def test_in_airflow_the_ui_only_looks_and_the_commands_only_run(stack: Stack) -> None:
    assert AIRFLOW_ROLES == {"canopy": "admin", "commands": "user", "viewer": "viewer"}
    paused = {"is_paused": True}
    run: dict[str, Any] = {"logical_date": None, "conf": {}}
    with stack.airflow("viewer") as viewer, stack.airflow("commands") as commands:
        assert viewer.get("/api/v2/dags").status_code == 200
        assert viewer.post("/api/v2/dags/collect/dagRuns", json=run).status_code == 403
        assert viewer.patch("/api/v2/dags/collect", json=paused).status_code == 403
        for client in (viewer, commands):
            assert client.post("/api/v2/variables", json={"key": "a", "value": "b"}).status_code == 403
            assert client.get("/api/v2/connections").status_code == 403
        assert commands.post("/api/v2/dags/maintain/dagRuns", json=run).status_code in (200, 404)


@pytest.mark.parametrize("around", [{}, {"TMPDIR": "/nowhere"}, {"ALL_PROXY": "http://127.0.0.1:9"}])
def test_commands_find_the_stack_whatever_the_machine_around_it(stack: Stack, around: dict[str, str]) -> None:
    status = stack.command("status", "--json", **around)
    assert status.returncode == 0, status.stderr
    models = stack.command("models", **around)
    assert models.returncode == 0, models.stderr
    assert "does not answer" not in status.stdout + models.stdout
    refused = stack.command("backup", str(stack.settings.folder.parent / "backup"), **around)
    assert refused.returncode != 0
    assert "canopy down" in " ".join(refused.stderr.split())


def test_when_it_has_ended_nothing_of_it_is_left(stack: Stack) -> None:
    """The last test of the file: it ends the stack."""
    assert stack.command("down").returncode == 0
    assert processes_of(str(stack.settings.folder)) == []
    assert list(Path(stack.environment["TMPDIR"]).rglob("*")) == []
    assert not temporary_folder(stack.settings.folder).exists()
