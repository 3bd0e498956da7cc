"""The environment in which every part and every command of the local stack runs."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import get_args, get_origin

from contracts.private_file import write_private
from contracts.settings import env_file, variable
from contracts.stack_settings import PROJECT, StackSettings
from deploy.secrets import AIRFLOW_ROLES, VIEWER, load_secrets, write_part_secrets
from deploy.sees import chosen, chosen_of_file
from deploy.settings_classes import settings_classes
from lake.settings import LakeSettings
from pipeline.airflow_history import local_airflow

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def given_environment() -> dict[str, str]:
    """Returns what a person has set: the environment, and of `.env` what is Canopy's where that says
    nothing."""
    given = (chosen_of_file(env_file()), os.environ)  # an empty value hides no line of the file
    return {name: value for said in given for name, value in said.items() if value.strip()}


def direct_to_itself(given: Mapping[str, str]) -> dict[str, str]:
    """Keeps what this machine asks of itself from a proxy, in whatever knows `NO_PROXY`."""
    said = [part.strip() for name in ("NO_PROXY", "no_proxy") for part in given.get(name, "").split(",")]
    names = ",".join(dict.fromkeys([*filter(None, said), *LOOPBACK]))
    return {"NO_PROXY": names, "no_proxy": names}


def _letters(given: Mapping[str, str]) -> dict[str, str]:
    """Returns variables by which the parts write names and texts of all languages, also where a person's
    shell knows ASCII only."""
    return {"LC_ALL": "C.UTF-8"} if given.get("LC_ALL") in ("C", "POSIX") else {}


def account_name() -> dict[str, str]:
    """Returns a name for an account that has none, such as one of a container: Airflow starts for nobody
    else."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        return {"LOGNAME": f"account-{os.getuid()}"}
    return {}


def address_environment(settings: StackSettings) -> dict[str, str]:
    """Returns where the parts of this stack find each other, as far as nobody has set it otherwise."""
    home = settings.folder
    return {
        "LAKE_URI": f"{home}/lake",
        "LAKE_CATALOG": f"sqlite:{home}/catalog.sqlite",
        "SOURCE_URL": settings.source_url or local(settings.source_port),
        "SOURCE_INCOMING": f"{home}/incoming",
        "TRAINING_MLFLOW_URL": local(settings.mlflow_port),
        "TRAINING_CACHE": f"{home}/training",
        "SERVING_PORT": str(settings.serving_port),
        "SERVING_CACHE": f"{home}/models",
        "SERVING_KEYS": f"{home}/keys.json",
        "SERVING_PREDICT_KEY_FILE": f"{home}/predict.key",
        "SERVING_ADMIN_KEY_FILE": f"{home}/admin.key",
        "SERVING_SPOOL": f"{home}/spool",
        "UI_SERVING_URL": local(settings.serving_port),
        "UI_SERVING_KEY_FILE": f"{home}/predict.key",
        "UI_AIRFLOW_URL": local(settings.airflow_port),
        "UI_AIRFLOW_USERNAME": VIEWER,
        "UI_AIRFLOW_PASSWORD_FILE": f"{home}/airflow/viewer.json",
        "UI_DOCS_URL": local(settings.docs_port),
        "CANOPY_MONITOR_URL": local(settings.monitor_port),
        "AUDIT_FOLDER": f"{home}/audits",
        "MONITOR_FOLDER": f"{home}/monitor",
    } | ({"SOURCE_WINDOW_S": str(settings.window_s)} if settings.is_simulated else {})


def stack_environment(settings: StackSettings) -> dict[str, str]:
    """Returns all settings: this process's, the packages' and Airflow's. A part sees of them what
    `Service.sees` names.

    The secrets are not among them: each part finds its own in a file (`write_part_secrets`).
    """
    from lake.dbt.environment import dbt_environment  # with DuckDB, which `canopy keys` does without

    environment = address_environment(settings) | simulator_environment(settings)
    environment |= _absolute(chosen(given_environment()))
    environment |= airflow_environment(settings) | account_name() | _letters(environment)
    lake = LakeSettings(uri=environment["LAKE_URI"], catalog=environment["LAKE_CATALOG"])
    environment |= dbt_environment(lake, settings.folder / "dbt")
    environment |= {
        "CANOPY_HOME": str(settings.folder),
        "CANOPY_COLLECT_EVERY_S": str(settings.collect_every_s),
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
    }
    # Ten processes import the same packages: each should find them compiled.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _absolute(given: Mapping[str, str]) -> dict[str, str]:
    """Returns settings that name a file or a folder as seen from here: parts run in a folder of their own."""
    found = dict(given)
    for settings in settings_classes():
        for name, field in settings.model_fields.items():
            called = variable(settings, name, field)
            if called in given and Path in (field.annotation, *get_args(field.annotation)):
                is_list = get_origin(field.annotation) is tuple
                places = given[called].split(",") if is_list else [given[called]]
                found[called] = ",".join(str(Path(place.strip()).expanduser().absolute()) for place in places)
    lake = LakeSettings()
    if "LAKE_URI" in given:
        found["LAKE_URI"] = lake.root
    if "LAKE_CATALOG" in given and lake.catalog_kind == "sqlite":
        found["LAKE_CATALOG"] = f"sqlite:{Path(lake.catalog_target).absolute()}"
    return found


def simulator_environment(settings: StackSettings) -> dict[str, str]:
    """Returns how the simulator plays the source."""
    rows = {"SIMULATOR_ROWS": str(settings.rows.resolve())} if settings.rows else {}
    return {
        "SIMULATOR_PORT": str(settings.source_port),
        "SIMULATOR_WINDOW_S": str(settings.window_s),
        "SIMULATOR_STATE": str(settings.folder / "source.json"),
    } | rows


def airflow_environment(settings: StackSettings) -> dict[str, str]:
    """Returns Airflow's settings: SQLite, LocalExecutor, three users, everything on 127.0.0.1."""
    home = settings.folder / "airflow"
    secrets = load_secrets(settings.folder)
    passwords = home / "passwords.json"
    write_private(passwords, json.dumps(secrets.airflow))
    write_private(home / "viewer.json", json.dumps({VIEWER: secrets.airflow[VIEWER]}))
    write_part_secrets(settings.folder)
    api = local(settings.airflow_port)
    return local_airflow(settings.folder) | {
        "AIRFLOW__API__BASE_URL": api,
        "AIRFLOW__API__ENABLE_SWAGGER_UI": "False",  # it asks for no sign-in
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{api}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "deploy" / "servers" / "airflow_plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{user}:{role}" for user, role in AIRFLOW_ROLES.items()
        ),
        "AIRFLOW__COSMOS__CACHE_DIR": str(settings.folder / "cosmos"),
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "300",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "MLFLOW_AUTH_CONFIG_PATH": str(settings.folder / "mlflow" / "accounts.ini"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Its job runners are eight processes of 3.6 s each at the start, for features not used here.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def local(port: int) -> str:
    """Returns the address of a part on this machine."""
    return f"http://127.0.0.1:{port}"
