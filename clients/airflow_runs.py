"""What Airflow's REST API tells of the DAGs' runs, and where the password is that asks it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts.errors import SettingsInvalid
from contracts.plain_files import read_plain

# In the order of the way.
DAGS = ("collect", "refine", "train", "maintain")


@dataclass(frozen=True)
class Run:
    """One run of a DAG, or that there was none yet.

    Attributes:
        dag: Its name.
        state: In Airflow's words: `queued`, `running`, `success` or `failed`; None if the DAG never ran.
        started_at: UTC, or None while it waits.
        ended_at: UTC, or None while it runs.
        run_id: As Airflow names it; empty if the DAG never ran.
    """

    dag: str
    state: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    run_id: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it will not change any more."""
        return self.state in ("success", "failed")

    @property
    def duration_s(self) -> float | None:
        """How long it took; None while it runs."""
        return (
            (self.ended_at - self.started_at).total_seconds() if self.started_at and self.ended_at else None
        )


def run_of(dag: str, fields: Mapping[str, Any]) -> Run:
    """Reads a run as the API tells of it. Raises: KeyError, TypeError, ValueError if it tells otherwise."""
    began, ended = _time(fields.get("start_date")), _time(fields.get("end_date"))
    return Run(dag, str(fields["state"]), began, ended, str(fields["dag_run_id"]))


def password_in(file: Path | None, username: str, setting: str) -> str:
    """Reads a user's password from a JSON object of user to password; an empty one if there is no file.

    Raises: SettingsInvalid, naming the setting, if it is not in there.
    """
    if file is None:
        return ""
    try:
        return str(json.loads(read_plain(file))[username])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        remedy = f"It holds no password for {username!r}: a JSON object of user to password."
        raise SettingsInvalid(setting, str(file), remedy) from error


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
