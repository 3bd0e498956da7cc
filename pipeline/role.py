"""Which keys a task of Airflow works with: each role has its own, and may do only what it is for."""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import dotenv_values

SECRETS = Path("/run/secrets")
ROLES = SECRETS / "roles"


def act_as(role: str) -> None:
    """Takes a role's keys for the rest of this process; each task is a process of its own.

    Where the parts are not containers there is one user, and nothing changes.
    """
    os.environ.update(secrets_of_part(ROLES / role))


def secrets_of_part(folder: Path) -> dict[str, str]:
    """Returns the variables in every file of a folder that ends in `.env`."""
    return secrets_of(*sorted(folder.glob("*.env")))


def secrets_of(*files: Path | str) -> dict[str, str]:
    """Returns the variables in files that only their owner can read."""
    return {
        name: value
        for file in files
        for name, value in dotenv_values(file, interpolate=False).items()
        if value is not None
    }
