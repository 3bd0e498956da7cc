"""The entrypoint of each container: it reads its secrets, then executes the service.

A secret is a file below /run/secrets that compose.yaml mounts into this one part. It gets into the
environment of the part's own processes here, so that neither the image nor what the engine tells of a
container holds it.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from contracts.private_file import write_private
from contracts.rights import keep_private
from contracts.stack_settings import StackSettings
from deploy.servers.mlflow_accounts_file import write_accounts_settings
from lake.settings import LakeSettings
from pipeline.role import SECRETS, secrets_of_part

MANIFEST = Path(sys.prefix) / "share" / "canopy" / "manifest.json"


def main() -> None:
    """Never returns: the command takes this process's place, and with it the signals."""
    keep_private()
    os.environ.update(secrets_of_part(SECRETS))
    if MANIFEST.is_file() and LakeSettings().is_s3:
        os.environ.update(dbt_state())
    keep_airflow_passwords()
    keep_mlflow_accounts()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606


def dbt_state() -> dict[str, str]:
    """Returns dbt's environment, with the manifest that the image was built with where Airflow looks for
    it."""
    from lake.dbt.environment import dbt_environment  # with DuckDB, which only some images have

    state = StackSettings().folder / "dbt"
    target = state / "target" / "manifest.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(MANIFEST, target)
    return dbt_environment(LakeSettings(), state)


def keep_airflow_passwords() -> None:
    """Copies passwords: Airflow opens its file for writing, which a secret is not."""
    given, kept = SECRETS / "airflow_passwords.json", os.environ.get("AIRFLOW_HOME")
    if given.is_file() and kept:
        write_private(Path(kept) / "passwords.json", given.read_text())


def keep_mlflow_accounts() -> None:
    """Writes where MLflow's accounts are, in the container that is MLflow's."""
    file, database = os.environ.get("MLFLOW_AUTH_CONFIG_PATH"), os.environ.get("MLFLOW_AUTH_DATABASE_URI")
    if file and database:
        write_accounts_settings(Path(file), database)


if __name__ == "__main__":
    main()
