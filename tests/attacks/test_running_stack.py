"""The whole local stack, as `canopy up` starts it: who may ask which port, and who holds which secret."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

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
from tests.attacks.outside_paths import Answer, ask, outside_paths
from tests.attacks.state import unchanged
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
    "STREAMLIT_SERVER_ENABLE_AGENT_API": "true",
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

    def ask_mlflow(self, method: str, target: str, user: str | None, body: Any = b"") -> Answer:
        """What MLflow answers an account to a path that stays as it is written."""
        sign_in = (user, self.secrets[f"mlflow_{user}_password"]) if user else None
        return ask(self.settings.mlflow_port, method, target, sign_in=sign_in, body=body)

    def shows_nothing(self, answer: Answer) -> bool:
        """Whether an answer holds no secret, and does not say where the home lies."""
        hidden = (*self.secrets.values(), str(self.settings.folder), "root:x:0")
        return not any(word in answer.text or word in str(answer.headers) for word in hidden)

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


@dataclass(frozen=True)
class KeptRun:
    """A run of the training account, with a model's version that is made of it.

    Attributes:
        name: Of the model.
        number: Of the run.
        place: The run's files, as MLflow's address for them has it.
        folder: The same on the disk; one file is in it.
    """

    name: str
    number: str
    place: str
    folder: Path


@pytest.fixture(scope="module")
def kept(stack: Stack) -> KeptRun:
    def made(path: str, body: dict[str, Any]) -> Any:
        answer = stack.ask_mlflow("POST", f"/api/2.0/mlflow/{path}/create", "training", body)
        assert answer.status == 200, answer.text
        return json.loads(answer.text)

    experiment = made("experiments", {"name": "attacked"})["experiment_id"]
    run = made("runs", {"experiment_id": experiment, "start_time": 1})["run"]["info"]
    place = f"{experiment}/{run['run_id']}/artifacts"
    written = stack.ask_mlflow("PUT", f"{ARTIFACTS}/{place}/model.txt", "training", b"as it was trained")
    assert written.status == 200, written.text
    made("registered-models", {"name": "attacked"})
    made("model-versions", {"name": "attacked", "source": run["artifact_uri"], "run_id": run["run_id"]})
    folder = stack.settings.folder / "mlflow" / "artifacts" / place
    assert (folder / "model.txt").read_bytes() == b"as it was trained"
    return KeptRun("attacked", run["run_id"], place, folder)


ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
# What the parts write without being asked for anything, while no DAG runs.
OWN = re.compile(r"airflow/(airflow\.sqlite.*|logs(/.*)?)|logs/[^/]*|monitor/alerts\.json")


@pytest.fixture
def resting(stack: Stack) -> Iterator[Path]:
    """The home while no DAG runs: but for what its parts write of themselves, all of it stays as it is."""
    with stack.airflow("canopy") as admin:

        def pause(*, is_paused: bool) -> None:
            given: dict[str, Any] = {"params": {"dag_id_pattern": "%"}, "json": {"is_paused": is_paused}}
            for _ in range(10):  # it answers 500 while another part writes into its database
                if (answer := admin.patch("/api/v2/dags", **given)).status_code < 500:
                    break
                time.sleep(3)
            answer.raise_for_status()

        pause(is_paused=True)
        tasks, under_way = "/api/v2/dags/~/dagRuns/~/taskInstances", {"state": ["queued", "running"]}
        until = time.monotonic() + 300
        while admin.get(tasks, params=under_way).raise_for_status().json()["total_entries"]:
            assert time.monotonic() < until, "a task is still under way"
            time.sleep(2)
        try:
            with unchanged(stack.settings.folder, but=lambda name: OWN.fullmatch(name) is not None):
                yield stack.settings.folder
        finally:
            pause(is_paused=False)


@pytest.mark.parametrize("user", ["reader", "serving", "training"])
def test_mlflow_hands_out_no_file_but_a_run_s_own(
    stack: Stack, kept: KeptRun, resting: Path, user: str
) -> None:
    of_run, of_version = f"run_uuid={kept.number}", f"name={kept.name}&version=1"
    assert "as it was trained" in stack.ask_mlflow("GET", f"/get-artifact?path=model.txt&{of_run}", user).text
    paths = [*outside_paths(resting / "secrets.json", kept.folder), "/etc/passwd", "file:///etc/passwd"]
    for path in paths:
        for target in (
            f"/get-artifact?path={path}&{of_run}",
            f"/model-versions/get-artifact?path={path}&{of_version}",
            f"{ARTIFACTS}/{kept.place}/{path}",
            f"{ARTIFACTS}/{path}",
        ):
            answer = stack.ask_mlflow("GET", target, user)
            assert answer.status in (400, 403, 404), (target, answer)
            assert not any(secret in answer.text for secret in stack.secrets.values()), target
        listed = stack.ask_mlflow(
            "GET", f"/api/2.0/mlflow/artifacts/list?path={path}&run_id={kept.number}", user
        )
        assert '"files"' not in listed.text, path


@pytest.mark.parametrize(("user", "status"), [("reader", 403), ("serving", 403), ("training", 400)])
def test_no_version_is_made_of_files_that_are_not_the_run_s(
    stack: Stack, kept: KeptRun, resting: Path, user: str, status: int
) -> None:
    within = f"mlflow-artifacts:/{kept.place}"
    for source in (
        *("file:///etc", "/etc", "file:etc", resting.as_uri(), str(resting), kept.folder.as_uri()),
        *(
            "mlflow-artifacts:/other",
            f"{within}/../../..",
            f"{within}/%2e%2e/%2e%2e",
            f"runs:/{kept.number}/../x",
        ),
        *(
            "http://127.0.0.1:9/model",
            "ftp://127.0.0.1/model",
            "s3://lake/x",
            "gs://lake/x",
            " s3://a/runs:/",
        ),
    ):
        for of_run in ({}, {"run_id": kept.number}):
            body = {"name": kept.name, "source": source, **of_run}
            answer = stack.ask_mlflow("POST", "/api/2.0/mlflow/model-versions/create", user, body)
            assert answer.status == status, (source, answer)


@pytest.mark.parametrize(("user", "status"), [("reader", 403), ("serving", 403), (None, 401)])
def test_who_only_reads_overwrites_no_file_of_a_run(
    stack: Stack, kept: KeptRun, resting: Path, user: str | None, status: int
) -> None:
    upload = f"mlflow/upload-artifact?run_uuid={kept.number}&path=model.txt"
    for method, target in (
        ("PUT", f"{ARTIFACTS}/{kept.place}/model.txt"),
        ("PUT", f"{ARTIFACTS}/{kept.place}/new.txt"),
        ("DELETE", f"{ARTIFACTS}/{kept.place}/model.txt"),
        ("DELETE", f"{ARTIFACTS}/{kept.place}"),
        ("PUT", ARTIFACTS.replace("/api/", "/ajax-api/") + f"/{kept.place}/model.txt"),
        ("POST", f"/ajax-api/2.0/{upload}"),
        ("POST", f"/api/2.0/mlflow-artifacts/mpu/create/{kept.place}"),
    ):
        answer = stack.ask_mlflow(method, target, user, b"as another has it")
        assert answer.status == status, (method, target, answer)
    assert (kept.folder / "model.txt").read_bytes() == b"as it was trained"
    assert resting in kept.folder.parents


def test_who_trains_writes_nowhere_but_into_a_run(stack: Stack, kept: KeptRun, resting: Path) -> None:
    paths = [*outside_paths(resting / "secrets.json", kept.folder)]
    up = [f"{kept.place}/{path}" for path in paths if unquote(path).startswith(("../", "a/../"))]
    assert len(up) > 3
    for path in (*paths, *up):
        answer = stack.ask_mlflow("PUT", f"{ARTIFACTS}/{path}", "training", b"as another has it")
        assert answer.status in (400, 403, 404), (path, answer)


def test_airflow_gives_a_token_only_to_who_sends_a_password_as_it_is_asked_for(
    stack: Stack, resting: Path
) -> None:
    name, password = "viewer", load_secrets(resting).airflow["viewer"]
    given, port = {"username": name, "password": password}, stack.settings.airflow_port
    form, text = f"username={name}&password={password}", json.dumps(given).encode()
    part = f'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\n{name}\r\n--b--\r\n'
    others = {
        "text/plain": text,
        "application/xml": f"<username>{name}</username><password>{password}</password>".encode(),
        "application/octet-stream": text,
        "multipart/form-data; boundary=b": part.encode(),
        "text/html, application/json": text,
    }
    assert ask(port, "POST", "/auth/token", body=given).status == 201
    for path in ("/auth/token", "/auth/token/cli", "/auth/token/login", "/auth/login"):
        answers = [
            ask(port, "GET", path),
            ask(port, "GET", f"{path}?{form}"),
            ask(port, "GET", path, sign_in=(name, password)),
            ask(port, "GET", path, body=given),
            *(
                ask(port, "POST", path, body=sent, headers={"Content-Type": kind})
                for kind, sent in others.items()
            ),
            *(ask(port, method, path, body=given) for method in ("PUT", "PATCH", "DELETE")),
        ]
        for answer in answers:
            is_page = answer.status == 200 and answer.headers["content-type"].startswith("text/html")
            assert is_page or answer.status in (403, 405, 415, 422), (path, answer)
            assert "access_token" not in answer.text, (path, answer)
            assert "set-cookie" not in answer.headers, (path, answer)


def test_streamlit_s_own_addresses_show_nothing_of_the_home(stack: Stack, resting: Path) -> None:
    port, folder = stack.settings.ui_port, resting / "run" / "secrets"
    page = ask(port, "GET", "/").text
    own = ("health", "metrics", "host-config", "script-health-check", "agent/openapi.json", "agent/interact")
    for target in (
        *(f"/_stcore/{name}" for name in (*own, "agent/mcp", "agent/x", "stream", "upload_file/none/1")),
        *(
            f"/{route}/{path}"
            for route in (
                "media",
                "static",
                "app/static",
                "component",
                "component/a",
                "_stcore/bidi-components",
            )
            for path in (*outside_paths(resting / "secrets.json", folder), "../" * 12 + "etc/passwd")
        ),
    ):
        answer = ask(port, "GET", target)
        assert stack.shows_nothing(answer), (target, answer)
        is_own = target.removeprefix("/_stcore/") in own
        assert answer.text == page or is_own or answer.status in (400, 403, 404, 405), (target, answer)


def test_nobody_drives_the_ui_or_leaves_files_there_without_a_page(stack: Stack, resting: Path) -> None:
    port = stack.settings.ui_port
    first = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for path in ("/_stcore/agent/interact", "/_stcore/agent/mcp"):
        for body in (
            {},
            first,
            first | {"method": "tools/call", "params": {"name": "interact"}},
            b"[" * 10_000,
        ):
            answer = ask(port, "POST", path, body=body)
            assert answer.status in (400, 403, 405), (path, answer)
            assert "result" not in answer.text, (path, answer)
    assert "switched off" in ask(port, "GET", "/_stcore/agent/openapi.json").text
    cookie = ask(port, "GET", "/_stcore/health").headers["set-cookie"].partition(";")[0]
    known = {"Cookie": cookie, "X-Xsrftoken": cookie.partition("=")[2]}
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="../../a"\r\n\r\na\r\n--b--\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    for session in ("none", "..", "%2e%2e", "..%2f..", "%2ftmp", "../../media"):
        for headers in (kind, kind | known):
            put = ask(port, "PUT", f"/_stcore/upload_file/{session}/1", body=part, headers=headers)
            assert put.status in (400, 403, 404, 405), (session, put)
    assert list((resting / "run" / "temporary").rglob("a")) == []


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
