"""Great Expectations' Data Docs, where the docs site has them."""

from __future__ import annotations

import streamlit as st

from clients.calls import ask
from contracts.errors import ServiceUnavailable
from ui.settings import TIMEOUT_S, UiSettings

PART = "The docs site"


@st.cache_data(ttl=60, show_spinner=False, hash_funcs={UiSettings: repr})
def audit_docs(settings: UiSettings) -> str | None:
    """Their address; None while there are none, or the site is away."""
    address = f"{settings.docs_url}/audits/"
    try:
        return address if ask(PART, "HEAD", address, timeout_s=TIMEOUT_S).is_success else None
    except ServiceUnavailable:
        return None
