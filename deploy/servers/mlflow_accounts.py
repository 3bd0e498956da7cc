"""Brings the local MLflow's databases to their newest form, with an account for everybody who asks."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from contracts.plain_files import is_something_else, read_plain
from contracts.private_file import write_private
from contracts.put_away import put_away
from deploy.secrets import TRAINING, StackSecrets, load_secrets
from deploy.servers.mlflow_accounts_file import write_accounts_settings
from deploy.servers.mlflow_folder import take_percents
from deploy.servers.mlflow_users import make_mlflow_users, make_model, unless_there
from training.settings import TrainingSettings


def main() -> None:
    """Writes MLflow's accounts (`python -m deploy.servers.mlflow_accounts HOME`): done twice, it changes
    nothing."""
    home = Path(sys.argv[1])
    database, accounts = f"sqlite:///{home}/mlflow/mlflow.sqlite", f"sqlite:///{home}/mlflow/accounts.sqlite"
    known = load_secrets(home)
    write_accounts_settings(home / "mlflow" / "accounts.ini", accounts)
    os.umask(0o077)
    done, state = home / "mlflow" / "prepared", _state(known)
    if _says(done, state) and (home / "mlflow" / "accounts.sqlite").exists():
        return
    take_percents()
    from mlflow.db import upgrade

    # Not by a process of its own, which would load MLflow a second time.
    callback: Any = upgrade.callback
    callback(database)
    store = make_mlflow_users(accounts, known.mlflow)
    make_model(database, store, TrainingSettings().model_name)
    _give_experiments(database, store)
    if is_something_else(done, stat.S_ISREG):
        put_away(done, "it is no file")
    write_private(done, state)


def _says(done: Path, state: str) -> bool:
    try:
        return read_plain(done) == state.encode()
    except OSError:
        return False


def _give_experiments(database: str, accounts: Any) -> None:
    """Lets training go on with what was begun before there were accounts."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    open_store: Any = SqlAlchemyStore
    for experiment in open_store(database, "mlflow-artifacts:/").search_experiments():
        with unless_there():
            accounts.create_experiment_permission(experiment.experiment_id, TRAINING, "MANAGE")


def _state(known: StackSecrets) -> str:
    """Returns what was prepared, and for whom; the passwords are random enough to be told by their hash."""
    said = [version("mlflow"), TrainingSettings().model_name, *known.mlflow, *known.mlflow.values()]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


if __name__ == "__main__":
    main()
