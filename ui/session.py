"""What every page starts from: the words and where the other parts are."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lake.settings import LakeSettings
from ui.language import LANGUAGES, Texts, language_of, texts_of
from ui.settings import UiSettings


@dataclass(frozen=True)
class Session:
    """One person's visit."""

    texts: Texts
    ui: UiSettings
    lake: LakeSettings


def session() -> Session:
    """Returns the present visit; its settings are read when it begins."""
    state = st.session_state
    if "settings" not in state:
        state["settings"] = (UiSettings(), LakeSettings())
    ui, lake = state["settings"]
    return Session(texts_of(state.get("language") or language_of(st.context.locale)), ui, lake)


def language_switch(place: DeltaGenerator) -> None:
    """Lets the reader choose a language; the address keeps the choice, so that it can be shared."""
    place.radio(
        "Language · Idioma",
        list(LANGUAGES),
        index=list(LANGUAGES).index(language_of(st.context.locale)),
        format_func=LANGUAGES.__getitem__,
        key="language",
        horizontal=True,
        bind="query-params",
    )
