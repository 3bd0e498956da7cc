"""What another project has set for its own tools, in the shell or in its `.env`: no part has any of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.stack_settings import StackSettings
from deploy.local.environment import given_environment, stack_environment
from deploy.local.parts import parts
from deploy.local.supervisor import Supervisor, temporary_folder
from deploy.sees import SEES, seen

# By the program that each is meant for; of some the product sets the same name, to a value of its own.
OF_OTHERS = {
    "Python": {
        "PYTHONPATH": ("/nowhere", "src:.", "/nowhere/site-packages:"),
        "PYTHONSTARTUP": ("/nowhere/start.py", "start.py", "~/.pythonrc"),
    },
    "MLflow": {
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": ("s3://mlflow/", "mlflow-artifacts:/theirs", "./mlruns"),
        "MLFLOW_BACKEND_STORE_URI": ("sqlite:///theirs.sqlite", "mysql://theirs@db/mlflow", "./mlruns"),
        "MLFLOW_TRACKING_URI": ("http://mlflow.example:5000", "file:///nowhere/mlruns", "databricks"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": ("true", "1", "yes"),
        "MLFLOW_SERVER_ALLOWED_HOSTS": ("*", "theirs.example", "0.0.0.0"),
        "MLFLOW_AUTH_CONFIG_PATH": ("/nowhere/basic_auth.ini", "basic_auth.ini", "~/accounts.ini"),
        "MLFLOW_S3_ENDPOINT_URL": ("http://minio:9000", "https://s3.example", "minio:9000"),
        "MLFLOW_HTTP_REQUEST_TIMEOUT": ("1", "86400", "soon"),
    },
    "Uvicorn": {
        "UVICORN_PORT": ("1", "8000", "http"),
        "UVICORN_HOST": ("0.0.0.0", "theirs.example", "::"),
        "UVICORN_RELOAD": ("true", "1", "yes"),
        "WEB_CONCURRENCY": ("4", "0", "many"),
        "FORWARDED_ALLOW_IPS": ("*", "10.0.0.0/8", "127.0.0.2"),
    },
    "Streamlit": {
        "STREAMLIT_SERVER_BASE_URL_PATH": ("canopy", "/theirs", "a/b"),
        "STREAMLIT_SERVER_PORT": ("1", "8501", "http"),
        "STREAMLIT_SERVER_ADDRESS": ("0.0.0.0", "theirs.example", "::"),
        "STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION": ("false", "0", "no"),
    },
    "Airflow": {
        "AIRFLOW__CORE__EXECUTOR": ("CeleryExecutor", "SequentialExecutor", "KubernetesExecutor"),
        "AIRFLOW__CORE__SECURITY": ("kerberos", "none", "theirs"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": ("True", "true", "1"),
        "AIRFLOW__CORE__DAGS_FOLDER": ("/opt/airflow/dags", "./dags", "~/airflow/dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": ("postgresql://theirs@db/airflow", "sqlite:////x", "theirs"),
        "AIRFLOW__API__WORKERS": ("16", "0", "many"),
        "AIRFLOW_HOME": ("/opt/airflow", "./airflow", "~/airflow"),
        "AIRFLOW_CONFIG": ("/opt/airflow/airflow.cfg", "airflow.cfg", "~/airflow.cfg"),
        "AIRFLOW_UID": ("50000", "0", "1000"),
        "_AIRFLOW_WWW_USER_PASSWORD": ("airflow", "admin", "theirs"),
        "_PIP_ADDITIONAL_REQUIREMENTS": ("pandas", "theirs==1", "-r theirs.txt"),
    },
    "dbt": {
        "DBT_FULL_REFRESH": ("1", "true", "yes"),
        "DBT_PROFILES_DIR": ("/nowhere", "~/.dbt", "."),
        "DBT_PROJECT_DIR": ("/nowhere", "~/theirs", "."),
        "DBT_TARGET": ("prod", "dev", "theirs"),
        "DBT_DEFER": ("true", "1", "yes"),
    },
    "Gunicorn": {"GUNICORN_CMD_ARGS": ("--bind 127.0.0.1:1", "--workers 16", "--reload --daemon")},
    "Great Expectations": {
        "GX_CLOUD_ACCESS_TOKEN": ("theirs", "1", "token"),
        "GX_ANALYTICS_ENABLED": ("true", "1", "yes"),
    },
    "another project": {
        "DATABASE_URL": ("postgres://theirs@db/app", "sqlite:///theirs.db", "mysql://db"),
        "POSTGRES_PASSWORD": ("theirs", "pass word", "p#ss"),
        "AWS_SECRET_ACCESS_KEY": ("theirs", "minioadmin", "x/y+z="),
        "SECRET_KEY": ("theirs", "change-me", "0"),
        "API_TOKEN": ("theirs", "Bearer theirs", "{}"),
        "DEBUG": ("1", "true", "*"),
        "PORT": ("8000", "80", "0"),
    },
}
ALL = [(name, value) for names in OF_OTHERS.values() for name, values in names.items() for value in values]
PLACES = ("the shell", ".env")
VARIANTS = range(3)
SAY = "import json, os, time; print(json.dumps(dict(os.environ)), flush=True); time.sleep(600)"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackSettings:
    """A home of its own, and a working folder and a shell in which none of these is set."""
    folder = tmp_path / "another project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, _ in ALL:
        monkeypatch.delenv(name, raising=False)
    return StackSettings(home=tmp_path / "home", _env_file=None)


@pytest.fixture
def supervisor(settings: StackSettings) -> Iterator[Supervisor]:
    made = Supervisor(settings.folder)
    yield made
    made.stop()


def give(place: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    if place == ".env":
        Path(".env").write_text("".join(f"{name}='{value}'\n" for name, value in given.items()))
        return
    for name, value in given.items():
        monkeypatch.setenv(name, value)


def environments(settings: StackSettings) -> dict[str, dict[str, str]]:
    """What each part is started with, as `start_part` leaves it."""
    made = stack_environment(settings)
    return {part.name: seen(made, part.sees) for part in parts(settings)}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("program", OF_OTHERS)
def test_a_variable_of_another_project_changes_nothing_for_any_part(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch, program: str, place: str
) -> None:
    usual = environments(settings)
    assert set(usual) == set(SEES)
    for name, values in OF_OTHERS[program].items():
        for value in values:
            with monkeypatch.context() as given:
                give(place, {name: value}, given)
                assert environments(settings) == usual, (name, value)


@pytest.mark.parametrize("place", PLACES)
def test_a_setting_of_ours_beside_them_does_reach_the_parts_that_read_it(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.delenv("UI_SERVING_URL", raising=False)
    give(place, dict(ALL) | {"UI_SERVING_URL": "http://7"}, monkeypatch)
    found = {
        part for part, held in environments(settings).items() if held.get("UI_SERVING_URL") == "http://7"
    }
    assert found == {"ui", "monitor"}


@pytest.mark.parametrize(
    "name",
    [
        *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "LD_PRELOAD", "LD_LIBRARY_PATH"),
        *("BASH_ENV", "DOCKER_CONFIG", "GIT_SSH_COMMAND", "OPENSSL_CONF"),
    ],
)
@pytest.mark.parametrize("value", ["/nowhere", "src:.", "1"])
def test_a_file_does_not_say_which_code_any_process_runs(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.delenv(name, raising=False)
    usual = stack_environment(settings)
    give(".env", {name: value}, monkeypatch)
    assert name not in given_environment()
    assert stack_environment(settings) == usual


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_part_that_runs_sees_nothing_of_another_project(
    settings: StackSettings,
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
    variant: int,
    place: str,
) -> None:
    given = {name: values[variant] for names in OF_OTHERS.values() for name, values in names.items()}
    usual = environments(settings)
    give(place, given, monkeypatch)
    temporary = temporary_folder(settings.folder)
    temporary.mkdir(parents=True)
    said = [replace(part, command=(sys.executable, "-c", SAY), after=None) for part in parts(settings)]
    supervisor.start(said, stack_environment(settings) | {"TMPDIR": str(temporary)})
    for part in said:
        held = _said(supervisor.log(part.name))
        assert not given.items() & held.items(), part.name
        assert {name: held.get(name) for name in given} == {
            name: usual[part.name].get(name) for name in given
        }, part.name
        assert held["TMPDIR"] == str(temporary)


def _said(log: Path) -> dict[str, str]:
    deadline = time.monotonic() + 60
    while not log.exists() or not log.read_text().endswith("}\n"):
        assert time.monotonic() < deadline, log
        time.sleep(0.05)
    found: dict[str, str] = json.loads(log.read_text().splitlines()[-1])
    return found
