"""The files of a run in MLflow, each fetched once: a run that has ended changes no more."""

from __future__ import annotations

import streamlit as st

from clients.calls import ask
from ui.reading.registry import PART
from ui.settings import UiSettings


def artefact(settings: UiSettings, run_id: str, path: str) -> bytes | None:
    """A file that a run logged, or None where it has none. Raises: ServiceUnavailable."""
    found = _artefact(settings, run_id, path)
    if found is None:  # it may come yet: a run is written file by file
        _artefact.clear(settings, run_id, path)
    return found


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs={UiSettings: repr})
def _artefact(settings: UiSettings, run_id: str, path: str) -> bytes | None:
    url = f"{settings.mlflow_url}/get-artifact"
    parameters = {"run_uuid": run_id, "path": path}
    response = ask(
        PART, "GET", url, timeout_s=settings.timeout_s, params=parameters, auth=settings.mlflow_auth
    )
    return response.content if response.is_success else None
