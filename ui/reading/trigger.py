"""Running a stage now, as the person who asks for it: Airflow decides whether they may."""

from __future__ import annotations

import httpx

from clients.calls import ask, json_of, understood
from contracts.errors import ServiceUnavailable
from ui.reading.runs import PART
from ui.settings import UiSettings

# A person who has pressed a button waits; on a busy machine Airflow was seen to take more than ten seconds.
PATIENCE_S = 30.0


def sign_in(settings: UiSettings, username: str, password: str) -> str | None:
    """A person's token; None if Airflow does not accept the sign-in. Raises: ServiceUnavailable."""
    url = f"{settings.airflow_url}/auth/token"
    body = {"username": username, "password": password}
    response = ask(PART, "POST", url, timeout_s=PATIENCE_S, json=body)
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return None
    if not response.is_success:
        raise ServiceUnavailable(PART, url, f"it answered {response.status_code}")
    with understood(PART, response):
        return str(json_of(PART, response)["access_token"])


def run_now(settings: UiSettings, token: str, dag: str) -> str | None:
    """Starts a run of a DAG.

    Returns: Its id; None if the token is not accepted, or no longer.
    Raises: ServiceUnavailable if Airflow does not answer, or does not start it.
    """
    url = f"{settings.airflow_url}/api/v2/dags/{dag}/dagRuns"
    headers = {"Authorization": f"Bearer {token}"}
    body: dict[str, object] = {"logical_date": None, "conf": {}}
    response = ask(PART, "POST", url, timeout_s=PATIENCE_S, json=body, headers=headers)
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return None
    if not response.is_success:
        raise ServiceUnavailable(PART, url, f"it answered {response.status_code}: {response.text[:200]}")
    with understood(PART, response):
        return str(json_of(PART, response)["dag_run_id"])
