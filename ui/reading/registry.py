"""The registered model and the files of its runs, as the pages read them."""

from __future__ import annotations

import streamlit as st

from clients.mlflow import MlflowApi
from ui.settings import TIMEOUT_S, UiSettings


def open_registry(settings: UiSettings) -> MlflowApi:
    """Returns the registered model, asked as the UI's own reader."""
    return MlflowApi(
        settings.mlflow_url,
        settings.model_name,
        account=settings.mlflow_account,
        timeout_s=TIMEOUT_S,
    )


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
    return open_registry(settings).artefact(run_id, path)
