"""The last runs of each DAG, and to run one now as the person who asks for it: Airflow decides who may."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import streamlit as st

from clients.airflow import DAGS, AirflowApi, Run, password_in
from clients.airflow import sign_in as sign_in_at
from contracts.errors import ServiceUnavailable, SignInRefused
from ui.settings import TIMEOUT_S, UiSettings

# A person who has pressed a button waits; on a busy machine Airflow was seen to take more than ten seconds.
PATIENCE_S = 30.0


def last_runs(settings: UiSettings, token: str | None = None) -> list[Run] | None:
    """Returns the newest run of each DAG, in the pipeline's order; None where nobody is there who may ask.

    Args:
        settings: Where Airflow is, and who asks it.
        token: Of a person who is signed in; the password file's user asks if not given.

    Raises: ServiceUnavailable if Airflow does not answer or refuses the sign-in; SettingsInvalid if the
        password file has no password for the user.
    """
    if token is None and settings.airflow_password_file is None:
        AirflowApi(settings.airflow_url, timeout_s=TIMEOUT_S).is_answering()  # needs no sign-in
        return None
    api = AirflowApi(settings.airflow_url, token=token or _token(settings), timeout_s=TIMEOUT_S)
    with ThreadPoolExecutor(len(DAGS)) as pool:  # each answer takes Airflow a while
        try:
            return list(pool.map(lambda dag: next(iter(api.runs(dag, limit=1)), Run(dag)), DAGS))
        except ServiceUnavailable:
            _token.clear()
            raise


def sign_in(settings: UiSettings, username: str, password: str) -> str | None:
    """Returns a person's token; None if Airflow does not accept the sign-in. Raises: ServiceUnavailable."""
    try:
        return sign_in_at(settings.airflow_url, username, password, timeout_s=PATIENCE_S)
    except SignInRefused:
        return None


def run_now(settings: UiSettings, token: str, dag: str) -> str | None:
    """Starts a run of a DAG.

    Returns: Its id; None if the token is not accepted, or no longer.
    Raises: ServiceUnavailable if Airflow does not answer, or does not start it.
    """
    try:
        return AirflowApi(settings.airflow_url, token=token, timeout_s=PATIENCE_S).trigger(dag)
    except SignInRefused:
        return None


@st.cache_data(ttl="10min", show_spinner=False, hash_funcs={UiSettings: repr})
def _token(settings: UiSettings) -> str:
    user = settings.airflow_username
    password = password_in(settings.airflow_password_file, user, "UI_AIRFLOW_PASSWORD_FILE")
    return sign_in_at(settings.airflow_url, user, password, timeout_s=TIMEOUT_S)
