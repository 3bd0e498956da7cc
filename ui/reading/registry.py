"""The registered model and the files of its runs, as the pages read them."""

from __future__ import annotations

import streamlit as st

from clients.mlflow import MlflowApi, Version
from ui.settings import TIMEOUT_S, UiSettings

VERSIONS_SHOWN = 50


def versions(settings: UiSettings) -> list[Version]:
    """Returns the newest versions with their aliases, newest first.

    Raises: ModelMissing if none is registered; ServiceUnavailable if MLflow does not answer.
    """
    return _api(settings).versions(VERSIONS_SHOWN)


def version(settings: UiSettings, number: int) -> Version:
    """Returns one version.

    Raises: ModelMissing if there is no such one; ServiceUnavailable if MLflow does not answer.
    """
    return _api(settings).version(number)


def champion(settings: UiSettings) -> Version:
    """Returns the version that serving answers with.

    Raises: ModelMissing if none is promoted; ServiceUnavailable if MLflow does not answer.
    """
    return _api(settings).champion()


def artefact(settings: UiSettings, run_id: str, path: str) -> bytes | None:
    """Returns a file that a run logged, or None where it has none. Raises: ServiceUnavailable.

    Each is fetched once: a run that has ended changes no more.
    """
    found = _artefact(settings, run_id, path)
    if found is None:  # it may come yet: a run is written file by file
        _artefact.clear(settings, run_id, path)
    return found


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs={UiSettings: repr})
def _artefact(settings: UiSettings, run_id: str, path: str) -> bytes | None:
    return _api(settings).artefact(run_id, path)


def _api(settings: UiSettings) -> MlflowApi:
    return MlflowApi(
        settings.mlflow_url,
        settings.model_name,
        account=settings.mlflow_account,
        timeout_s=TIMEOUT_S,
    )
