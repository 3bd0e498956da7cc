"""Secrets of the stack in containers: random, made on the first start, each in a file for its owner."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from contracts.plain_files import read_plain
from contracts.private_file import write_private
from contracts.version_signature import public_key_of
from deploy.secrets import USER, VIEWER, env_lines, random_secret, read_secrets

# Who has keys of the store, and who has a role in PostgreSQL and an account in MLflow.
S3_USERS = ("ingest", "transform", "training", "serving", "reader", "analyst", "mlflow")
CATALOG_USERS = ("ingest", "transform", "training", "reader", "analyst")
MLFLOW_USERS = ("admin", "transform", "training", "serving", "reader")

Passwords = dict[str, dict[str, str]]
WANTED: dict[str, Sequence[str]] = {
    "s3": S3_USERS,
    "catalog": CATALOG_USERS,
    "mlflow": MLFLOW_USERS,
    "root": ("postgres", "mysql", "s3", "redis", "grafana"),
    "database": ("airflow", "mlflow"),
    "airflow": (USER, VIEWER, "api", "jwt", "fernet"),
    "serving": ("predict", "admin"),
    "proxy": (USER,),
    "signing": ("mlflow", "gate"),
}


def make_secrets(folder: Path) -> None:
    """Makes every secret that is not there yet; one that is there is never changed.

    Args:
        folder: Where the files go; only its owner can enter it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    file = folder / "passwords.json"
    passwords = _completed(read_secrets(file, WANTED))
    _write(file, json.dumps(passwords, indent=1))
    for name, text in _derived(passwords).items():
        _write(folder / name, text)


def give_to(folder: Path, user: int, group: int) -> None:
    """Gives the files to the user that the parts run as, where that is another one."""
    if os.geteuid() == 0:
        for file in folder.iterdir():
            os.chown(file, user, group)


def _completed(passwords: Passwords) -> Passwords:
    return {
        kind: {name: passwords.get(kind, {}).get(name) or random_secret(name) for name in names}
        for kind, names in WANTED.items()
    }


def _derived(passwords: Passwords) -> dict[str, str]:
    """Returns each file by its name: one value for the images of others, variables for Canopy's own parts."""
    root, airflow = passwords["root"], passwords["airflow"]
    return {
        "postgres_password": root["postgres"],
        "mysql_password": root["mysql"],
        "s3_password": root["s3"],
        "grafana_password": root["grafana"],
        "proxy_password": passwords["proxy"][USER],
        "redis.conf": f"requirepass {root['redis']}\n",
        "serving_predict_key": passwords["serving"]["predict"],
        "serving_admin_key": passwords["serving"]["admin"],
        "airflow_passwords.json": json.dumps({user: airflow[user] for user in (USER, VIEWER)}),
        "airflow_viewer.json": json.dumps({VIEWER: airflow[VIEWER]}),
        "airflow.env": env_lines(_airflow(passwords)),
        "mlflow.env": env_lines(_mlflow(passwords)),
    } | {f"{user}.env": env_lines(_account(user, passwords)) for user in S3_USERS if user != "mlflow"}


def _airflow(passwords: Passwords) -> dict[str, str]:
    airflow, password = passwords["airflow"], passwords["database"]["airflow"]
    database = f"airflow:{password}@postgres/airflow"
    return {
        "AIRFLOW__API__SECRET_KEY": airflow["api"],
        "AIRFLOW__API_AUTH__JWT_SECRET": airflow["jwt"],
        "AIRFLOW__CORE__FERNET_KEY": airflow["fernet"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
        "AIRFLOW__CELERY__BROKER_URL": f"redis://:{passwords['root']['redis']}@redis:6379/0",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database}",
    }


def _mlflow(passwords: Passwords) -> dict[str, str]:
    password = passwords["database"]["mlflow"]
    return {
        "MLFLOW_BACKEND_STORE_URI": f"mysql+pymysql://mlflow:{password}@mysql/mlflow",
        "MLFLOW_AUTH_DATABASE_URI": f"postgresql+psycopg2://mlflow:{password}@postgres/mlflow_accounts",
        "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
        "MLFLOW_AUTH_ADMIN_PASSWORD": passwords["mlflow"]["admin"],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": passwords["signing"]["mlflow"],
        "AWS_ACCESS_KEY_ID": "mlflow",
        "AWS_SECRET_ACCESS_KEY": passwords["s3"]["mlflow"],
    }


def _account(user: str, passwords: Passwords) -> dict[str, str]:
    account = {"LAKE_S3_ACCESS_KEY_ID": user, "LAKE_S3_SECRET_ACCESS_KEY": passwords["s3"][user]}
    if user in CATALOG_USERS:
        password = passwords["catalog"][user]
        account["LAKE_CATALOG"] = f"postgres:host=postgres dbname=lake user={user} password={password}"
    if user in MLFLOW_USERS:
        account |= {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": passwords["mlflow"][user]}
    if user == "training":
        account["TRAINING_GATE_KEY"] = passwords["signing"]["gate"]
    if user == "serving":
        account["SERVING_GATE_KEY"] = public_key_of(passwords["signing"]["gate"])
    return account


def _write(file: Path, text: str) -> None:
    """Leaves a file alone that says this already: a container that has it mounted keeps it."""
    with suppress(OSError):
        if read_plain(file) == text.encode():
            return
    write_private(file, text)
