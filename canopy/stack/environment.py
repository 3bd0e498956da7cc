"""The environment in which every part and every command of the local stack runs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from canopy.settings import PROJECT, StackSettings
from canopy.stack.secrets import USER, load_secrets
from lake.dbt_environment import dbt_environment
from lake.settings import LakeSettings
from serving.private_file import write_private


def given_environment() -> dict[str, str]:
    """What a person has set: the environment, and `.env` where the environment says nothing."""
    return {name: value for name, value in dotenv_values(".env").items() if value is not None} | os.environ


def room_environment(settings: StackSettings) -> dict[str, str]:
    """Where the rooms of this stack find each other, as far as nobody has set it otherwise."""
    home = settings.folder
    return {
        "LAKE_URI": f"{home}/lake",
        "LAKE_CATALOG": f"sqlite:{home}/catalog.sqlite",
        "SOURCE_URL": settings.source_url or local(settings.source_port),
        "SOURCE_INCOMING": f"{home}/incoming",
        "TRAINING_MLFLOW_URL": local(settings.mlflow_port),
        "TRAINING_CACHE": f"{home}/training",
        "SERVING_MLFLOW_URL": local(settings.mlflow_port),
        "SERVING_PORT": str(settings.serving_port),
        "SERVING_CACHE": f"{home}/models",
        "SERVING_KEYS": f"{home}/keys.json",
        "SERVING_PREDICT_KEY_FILE": f"{home}/predict.key",
        "SERVING_ADMIN_KEY_FILE": f"{home}/admin.key",
        "SERVING_SPOOL": f"{home}/spool",
        "UI_SERVING_URL": local(settings.serving_port),
        "UI_SERVING_KEY_FILE": f"{home}/predict.key",
        "UI_MLFLOW_URL": local(settings.mlflow_port),
        "UI_AIRFLOW_URL": local(settings.airflow_port),
        "UI_AIRFLOW_USERNAME": USER,
        "UI_AIRFLOW_PASSWORD_FILE": f"{home}/airflow/passwords.json",
        "UI_DOCS_URL": local(settings.docs_port),
        "AUDIT_FOLDER": f"{home}/audits",
    } | ({"SOURCE_WINDOW_S": str(settings.window_s)} if settings.is_simulated else {})


def stack_environment(settings: StackSettings) -> dict[str, str]:
    """The whole environment of a part: this process's, the rooms' and Airflow's."""
    environment = room_environment(settings) | simulator_environment(settings) | given_environment()
    environment |= airflow_environment(settings)
    environment |= dbt_environment(_lake(environment), settings.folder / "dbt")
    environment |= {
        "CANOPY_HOME": str(settings.folder),
        "CANOPY_COLLECT_EVERY_S": str(settings.collect_every_s),
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
    }
    # Ten processes import the same packages: each should find them compiled.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def simulator_environment(settings: StackSettings) -> dict[str, str]:
    """How the simulator plays the source."""
    rows = {"SIMULATOR_ROWS": str(settings.rows.resolve())} if settings.rows else {}
    return {
        "SIMULATOR_PORT": str(settings.source_port),
        "SIMULATOR_WINDOW_S": str(settings.window_s),
        "SIMULATOR_STATE": str(settings.folder / "source.json"),
    } | rows


def _lake(environment: Mapping[str, str]) -> LakeSettings:
    return LakeSettings(uri=environment["LAKE_URI"], catalog=environment["LAKE_CATALOG"])


def airflow_environment(settings: StackSettings) -> dict[str, str]:
    """Airflow's settings: SQLite, LocalExecutor, one user, everything on 127.0.0.1."""
    home = settings.folder / "airflow"
    secrets = load_secrets(settings.folder)
    passwords = home / "passwords.json"
    if not passwords.exists():
        write_private(passwords, json.dumps({USER: secrets.airflow_password}))
    api = local(settings.airflow_port)
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": api,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret_key,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{api}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__COSMOS__CACHE_DIR": str(settings.folder / "cosmos"),
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "300",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.sqlite",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Its job runners are eight processes of 3.6 s each at the start, for features not used here.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def local(port: int) -> str:
    """The address of a part on this machine."""
    return f"http://127.0.0.1:{port}"
