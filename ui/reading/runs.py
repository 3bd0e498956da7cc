"""The last runs of each DAG, over Airflow's REST API."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import streamlit as st

from clients.airflow_runs import DAGS, Run, password_in, run_of
from clients.calls import ask, ask_json, json_of, understood
from contracts.errors import ServiceUnavailable
from ui.settings import UiSettings

PART = "Airflow"


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
    user, file = settings.airflow_username, settings.airflow_password_file
    body = {"username": user, "password": password_in(file, user, "UI_AIRFLOW_PASSWORD_FILE")}
    url = f"{settings.airflow_url}/auth/token"
    answer = ask_json(PART, "POST", url, timeout_s=settings.timeout_s, json=body)
    return str(answer["access_token"])


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
    answer = json_of(PART, response)
    with understood(PART, response):
        runs = answer["dag_runs"]
        return run_of(dag, runs[0]) if runs else Run(dag)
