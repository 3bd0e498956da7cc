"""The stack's init job: buckets, users, databases and their newest form. Done twice, it changes nothing."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contracts.outside import log_to_stderr
from deploy.containers.databases import let_read, make_mysql, make_roles
from deploy.containers.secrets import Passwords
from deploy.containers.settings import InitSettings
from deploy.containers.store import make_buckets, make_users
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
    """Databases, buckets, and everybody's account in them."""
    root, database = passwords["root"], passwords["database"]
    roles = passwords["catalog"] | {"airflow": database["airflow"], "mlflow": database["mlflow"]}
    make_roles(POSTGRES_HOST, root["postgres"], roles)
    make_mysql(MYSQL_HOST, root["mysql"], database["mlflow"])
    make_buckets(settings, root["s3"])
    make_users(settings, root["s3"], passwords["s3"])
    logger.info("stores_ready roles=%d s3_users=%d", len(roles), len(passwords["s3"]))


def make_mlflow_users(uri: str, users: dict[str, str]) -> Any:
    """Makes MLflow's accounts, and gives them today's passwords.

    Returns: The store of accounts.
    """
    import sqlalchemy
    from mlflow.server.auth.db import utils
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    # By itself init_db would migrate over a second connection, which may wait for its own first one for ever.
    engine = sqlalchemy.create_engine(uri)
    utils.migrate(engine, "head")
    engine.dispose()
    store: Any = SqlAlchemyStore()
    store.init_db(uri)
    for user, password in users.items():
        if not store.has_user(user):
            store.create_user(user, password, is_admin=user == "admin")
        elif not store.authenticate_user(user, password):
            store.update_user(user, password=password)
    logger.info("mlflow_users_ready users=%d", len(users))
    return store


def make_model(uri: str, accounts: Any, name: str) -> None:
    """Makes the registered model, still without a version, and lets training do with it what it wants.

    MLflow with accounts answers 403, not 404, to who asks for a model that is not there.
    """
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    open_store: Any = SqlAlchemyStore
    with unless_there():
        open_store(uri).create_registered_model(name)
    with unless_there():
        accounts.create_registered_model_permission(name, "training", "MANAGE")
    logger.info("model_ready name=%s", name)


@contextmanager
def unless_there() -> Iterator[None]:
    """Lets MLflow make what it may have already."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


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
