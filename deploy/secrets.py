"""Secrets of the local stack, made at random on the first start, in files only their owner reads."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contracts.errors import SecretsUnusable
from contracts.plain_files import read_plain
from contracts.private_file import write_private
from contracts.version_signature import public_key_of

USER = "canopy"
# Who signs in to Airflow, and what they may do there: a person everything, the commands start runs, the UI
# and the monitor look.
COMMANDS, VIEWER = "commands", "viewer"
AIRFLOW_ROLES = {USER: "admin", COMMANDS: "user", VIEWER: "viewer"}
# Who has an account in MLflow. Training moves the champion's alias; serving and the UI's reader only read.
MLFLOW_ADMIN, TRAINING, SERVING, READER = "admin", "training", "serving", "reader"


@dataclass(frozen=True)
class StackSecrets:
    """What Airflow signs and encrypts with, and the passwords of every account."""

    airflow_password: str
    airflow_commands_password: str
    airflow_viewer_password: str
    api_secret_key: str
    jwt_secret: str
    fernet_key: str
    mlflow_secret_key: str
    mlflow_admin_password: str
    mlflow_training_password: str
    mlflow_serving_password: str
    mlflow_reader_password: str
    gate_key: str

    @property
    def airflow(self) -> dict[str, str]:
        """Returns each account of Airflow with its password."""
        return {
            USER: self.airflow_password,
            COMMANDS: self.airflow_commands_password,
            VIEWER: self.airflow_viewer_password,
        }

    @property
    def mlflow(self) -> dict[str, str]:
        """Returns each account of MLflow with its password."""
        return {
            MLFLOW_ADMIN: self.mlflow_admin_password,
            TRAINING: self.mlflow_training_password,
            SERVING: self.mlflow_serving_password,
            READER: self.mlflow_reader_password,
        }


def load_secrets(folder: Path) -> StackSecrets:
    """Reads the secrets, and makes those that are not there; one that is there is never changed."""
    file = folder / "secrets.json"
    known = read_secrets(file, StackSecrets.__dataclass_fields__)
    made = StackSecrets(
        **{name: known.get(name) or random_secret(name) for name in StackSecrets.__dataclass_fields__}
    )
    if asdict(made) != known:
        write_private(file, json.dumps(asdict(made)))
    return made


def read_secrets(file: Path, names: Collection[str]) -> dict[str, Any]:
    """Returns what a file of secrets holds; nothing where there is none.

    Args:
        file: A JSON object.
        names: What it may have; one that has none of them is another program's.

    Raises: SecretsUnusable: nothing is made anew in the place of what a person may still need.
    """
    if not os.path.lexists(file):
        return {}
    try:
        known = json.loads(read_plain(file))
        if not isinstance(known, dict) or not set(names) & set(known):
            raise TypeError("it is no object of secrets")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise SecretsUnusable(file, str(error)) from None
    return known


def random_secret(name: str) -> str:
    """Returns a new secret, in the form and length that what it is called by wants."""
    what = name.partition("_")[0]
    if what == "gate":
        return base64.b64encode(secrets.token_bytes(32)).decode()
    if what == "fernet":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe({"jwt": 64, "api": 32}.get(what, 24))


def env_lines(variables: Mapping[str, str]) -> str:
    """Returns a file of variables, as `pipeline.role` reads it."""
    return "".join(f"{name}='{value}'\n" for name, value in variables.items())


def write_part_secrets(folder: Path) -> None:
    """Writes a file for each part that needs secrets, with what it needs and nothing else."""
    known = load_secrets(folder)
    files = {
        "airflow": {
            "AIRFLOW__API__SECRET_KEY": known.api_secret_key,
            "AIRFLOW__API_AUTH__JWT_SECRET": known.jwt_secret,
            "AIRFLOW__CORE__FERNET_KEY": known.fernet_key,
        },
        "mlflow": {
            "MLFLOW_AUTH_ADMIN_USERNAME": MLFLOW_ADMIN,
            "MLFLOW_AUTH_ADMIN_PASSWORD": known.mlflow_admin_password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": known.mlflow_secret_key,
        },
    } | {user: _account(user, known) for user in (TRAINING, SERVING, READER)}
    for name, variables in files.items():
        write_private(part_secrets(folder, name), env_lines(variables))


def part_secrets(folder: Path, name: str) -> Path:
    """Returns the file of secrets of this name."""
    return folder / "run" / "secrets" / f"{name}.env"


def commands_account(folder: Path) -> dict[str, str]:
    """Returns with what a person's commands sign in to MLflow: as training, where the stack has been
    started."""
    return _account(TRAINING, load_secrets(folder)) if os.path.lexists(folder / "secrets.json") else {}


def _account(user: str, known: StackSecrets) -> dict[str, str]:
    gate = {
        TRAINING: {"TRAINING_GATE_KEY": known.gate_key},
        SERVING: {"SERVING_GATE_KEY": public_key_of(known.gate_key)},
    }
    signs_in = {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": known.mlflow[user]}
    return signs_in | gate.get(user, {})
