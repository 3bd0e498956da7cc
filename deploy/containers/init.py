"""The stack's init job: buckets, users, databases and their newest form. Done twice, it changes nothing."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

from contracts.outside import log_to_stderr
from deploy.containers.databases import let_read, make_mysql, make_roles
from deploy.containers.secrets import Passwords
from deploy.containers.settings import InitSettings
from deploy.containers.store import make_buckets, make_users
from deploy.servers.mlflow_users import make_mlflow_users, make_model
from lake.catalog.connection import connect
from lake.settings import LakeSettings
from pipeline.role import SECRETS
from training.settings import TrainingSettings

logger = logging.getLogger(__name__)

POSTGRES_HOST, MYSQL_HOST = "postgres", "mysql"  # as compose.yaml names them
SECRET_WORDS = ("CONN", "KEY", "PASSWORD", "SECRET", "URI", "URL")


def main() -> None:
    """Does every step in turn; a step that fails ends the job, and compose names it."""
    log_to_stderr(logging.INFO, "%(message)s")
    settings = InitSettings()
    passwords: Passwords = json.loads((SECRETS / "passwords.json").read_text())
    make_stores(settings, passwords)
    _run("airflow", "db", "migrate")
    logger.info("airflow_ready")
    _run("mlflow", "db", "upgrade", os.environ["MLFLOW_BACKEND_STORE_URI"])
    logger.info("mlflow_ready")
    accounts = make_mlflow_users(os.environ["MLFLOW_AUTH_DATABASE_URI"], passwords["mlflow"])
    make_model(os.environ["MLFLOW_BACKEND_STORE_URI"], accounts, TrainingSettings().model_name)
    make_catalog(passwords)


def make_stores(settings: InitSettings, passwords: Passwords) -> None:
    """Makes databases, buckets, and everybody's account in them."""
    root, database = passwords["root"], passwords["database"]
    roles = passwords["catalog"] | {"airflow": database["airflow"], "mlflow": database["mlflow"]}
    make_roles(POSTGRES_HOST, root["postgres"], roles)
    make_mysql(MYSQL_HOST, root["mysql"], database["mlflow"])
    make_buckets(settings, root["s3"])
    make_users(settings, root["s3"], passwords["s3"])
    logger.info("stores_ready roles=%d s3_users=%d", len(roles), len(passwords["s3"]))


def make_catalog(passwords: Passwords) -> None:
    """Makes the lake's catalog, as its owner, and lets the readers in."""
    connect(LakeSettings(), write=True).close()
    let_read(POSTGRES_HOST, passwords["root"]["postgres"])
    logger.info("catalog_ready")


def _run(*command: str) -> None:
    """Runs a program of this environment; what it says is shown if it fails, without its secrets."""
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
        sys.exit(f"{' '.join(command[:3])} failed:\n{_without_secrets(said)}")


def _without_secrets(text: str) -> str:
    for name, value in os.environ.items():
        if any(word in name for word in SECRET_WORDS):
            text = text.replace(value, "…")
    return text


if __name__ == "__main__":
    main()
