"""What the monitor finds wrong now, in one line."""

from __future__ import annotations

import streamlit as st

from clients.calls import ask_json
from ui.language import Texts
from ui.settings import TIMEOUT_S, UiSettings
from ui.views.absence import Away, attempt, show_away

PART = "Monitor"


def active_kinds(settings: UiSettings) -> list[str]:
    """The kinds of alerts that are active, the oldest first; none where no monitor is known.

    Raises: ServiceUnavailable if it does not answer.
    """
    if settings.monitor_url is None:
        return []
    found = ask_json(PART, "GET", f"{settings.monitor_url}/alerts", timeout_s=TIMEOUT_S)
    return list(dict.fromkeys(str(alert["kind"]) for alert in found["alerts"]))


def show_wrong(texts: Texts, settings: UiSettings) -> None:
    """Says what is wrong, and nothing where nothing is."""
    kinds = attempt("monitor", lambda: active_kinds(settings))
    if isinstance(kinds, Away):
        show_away(texts, kinds)
    elif kinds:
        named = ", ".join(f"`{kind}`" for kind in kinds)
        st.warning(texts("pipeline.wrong", kinds=named), icon=":material/notifications_active:")
