"""Which keys a task of Airflow works with: each role has its own, and may do only what it is for."""

from __future__ import annotations

import os
from pathlib import Path

from canopy.stack.compose_part import secrets_of_part

ROLES = Path("/run/secrets/roles")


def act_as(role: str) -> None:
    """Takes a role's keys for the rest of this process; each task is a process of its own.

    Where the parts are not containers there is one user, and nothing changes.
    """
    os.environ.update(secrets_of_part(ROLES / role))
