"""The last runs of each DAG, over Airflow's REST API."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import streamlit as st

from contracts.errors import ServiceUnavailable, SettingsInvalid
from ui.calls import ask, ask_json, json_of
from ui.settings import UiSettings

PART = "Airflow"
DAGS = ("collect", "refine", "train", "maintain")


@dataclass(frozen=True)
class Run:
    """The last run of a DAG.

    Attributes:
        dag: Its name.
        state: `success`, `failed`, `running` or `queued`; None if it never ran.
        started_at: UTC, or None while it waits.
        duration_s: None while it runs.
        run_id: As Airflow names it.
    """

    dag: str
    state: str | None = None
    started_at: datetime | None = None
    duration_s: float | None = None
    run_id: str | None = None


def is_answering(settings: UiSettings) -> bool:
    """Whether Airflow is up; needs no sign-in. Raises: ServiceUnavailable if not."""
    ask_json(PART, "GET", f"{settings.airflow_url}/api/v2/monitor/health", timeout_s=settings.timeout_s)
    return True


def last_runs(settings: UiSettings, token: str | None = None) -> list[Run]:
    """The newest run of each DAG, in the order of the way.

    Args:
        settings: Where Airflow is, and who asks it.
        token: Of a person who is signed in; the password file's user asks if not given.

    Raises: ServiceUnavailable if Airflow does not answer or refuses the sign-in; SettingsInvalid if the
        password file has no password for the user.
    """
    given = token or _token(settings)
    with ThreadPoolExecutor(len(DAGS)) as pool:  # each answer takes Airflow a while
        return list(pool.map(lambda dag: _last_run(settings, given, dag), DAGS))


@st.cache_data(ttl="10min", show_spinner=False, hash_funcs={UiSettings: repr})
def _token(settings: UiSettings) -> str:
    body = {"username": settings.airflow_username, "password": _password(settings)}
    url = f"{settings.airflow_url}/auth/token"
    answer = ask_json(PART, "POST", url, timeout_s=settings.timeout_s, json=body)
    return str(answer["access_token"])


def run_address(settings: UiSettings, run: Run) -> str:
    """Where Airflow shows a run, or the DAG where it never ran."""
    dag = f"{settings.airflow_page}/dags/{run.dag}"
    return f"{dag}/runs/{run.run_id}" if run.run_id else dag


def _password(settings: UiSettings) -> str:
    path = settings.airflow_password_file
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))[settings.airflow_username]) if path else ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = f"It holds no password for {settings.airflow_username!r}: a JSON object of user to password."
        raise SettingsInvalid("UI_AIRFLOW_PASSWORD_FILE", str(path), remedy) from error


def _last_run(settings: UiSettings, token: str, dag: str) -> Run:
    url = f"{settings.airflow_url}/api/v2/dags/{dag}/dagRuns"
    response = ask(
        PART,
        "GET",
        url,
        timeout_s=settings.timeout_s,
        params={"order_by": "-run_after", "limit": 1},
        headers={"Authorization": f"Bearer {token}"},
    )
    if response.status_code == httpx.codes.NOT_FOUND:
        return Run(dag)  # Airflow has not parsed its file yet
    if not response.is_success:
        _token.clear()
        raise ServiceUnavailable(PART, url, f"it answered {response.status_code}")
    runs = json_of(PART, response)["dag_runs"]
    return _run(dag, runs[0]) if runs else Run(dag)


def _run(dag: str, fields: dict[str, Any]) -> Run:
    started, ended = _moment(fields.get("start_date")), _moment(fields.get("end_date"))
    duration_s = (ended - started).total_seconds() if started and ended else None
    return Run(dag, str(fields["state"]), started, duration_s, fields.get("dag_run_id"))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
