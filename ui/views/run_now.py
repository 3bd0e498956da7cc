"""Buttons that run a stage now, with the sign-in of the person who presses them."""

from __future__ import annotations

import streamlit as st

from clients.airflow import DAGS
from ui.reading.runs import run_now, sign_in
from ui.session import Session
from ui.views.absence import Unavailable, show_unavailable, try_read

TOKEN, PERSON, STARTED = "airflow_token", "airflow_person", "airflow_started"


def show_run_now(visit: Session) -> None:
    """Shows a button for each stage; the first one pressed asks who it is."""
    texts, state = visit.texts, st.session_state
    st.header(texts("run_now.title"), help=texts("run_now.help"))
    with st.container(horizontal=True):
        for dag in DAGS:
            label, about = texts("run_now.button", dag=dag), texts(f"dag.{dag}")
            if st.button(label, key=f"run_{dag}", help=about, icon=":material/play_arrow:"):
                start(visit, dag)
    if TOKEN in state:
        show_person(visit)
    else:
        st.caption(texts("run_now.not_signed_in"))
    if STARTED in state:
        dag, run_id = state[STARTED]
        address = f"{visit.ui.airflow_page}/dags/{dag}/runs/{run_id}"
        st.success(texts("run_now.started", dag=dag, address=address), icon=":material/check:")


def show_person(visit: Session) -> None:
    """Shows who is signed in, and the way out."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(visit.texts("run_now.signed_in", person=st.session_state[PERSON]))
        st.button(visit.texts("run_now.sign_out"), key="sign_out", type="tertiary", on_click=_forget)


def start(visit: Session, dag: str) -> None:
    """Runs a stage as the person who is signed in; asks for a sign-in where nobody is."""
    token = st.session_state.get(TOKEN)
    if token is None:
        st.dialog(visit.texts("run_now.sign_in"))(show_sign_in)(visit, dag)
        return
    answer = try_read("airflow", lambda: run_now(visit.ui, token, dag))
    if isinstance(answer, Unavailable):
        show_unavailable(visit.texts, answer)
    elif answer is None:
        _forget()
        st.error(visit.texts("run_now.refused"), icon=":material/lock:")
    else:
        st.session_state[STARTED] = (dag, answer)


def show_sign_in(visit: Session, dag: str) -> None:
    """Asks for Airflow's own sign-in, then runs the stage; the password is not kept."""
    texts = visit.texts
    st.markdown(texts("run_now.ask"))
    with st.form("sign_in", border=False):
        person = st.text_input(texts("run_now.person"), autocomplete="username")
        password = st.text_input(texts("run_now.password"), type="password", autocomplete="current-password")
        is_sent = st.form_submit_button(texts("run_now.sign_in_and_run", dag=dag), type="primary")
    if not is_sent:
        return
    token = try_read("airflow", lambda: sign_in(visit.ui, person or "", password or ""))
    if isinstance(token, Unavailable):
        show_unavailable(texts, token)
    elif token is None:
        st.error(texts("run_now.wrong"), icon=":material/lock:")
    else:
        st.session_state.update({TOKEN: token, PERSON: person})
        start(visit, dag)
        if STARTED in st.session_state:
            st.rerun()


def _forget() -> None:
    for name in (TOKEN, PERSON, STARTED):
        st.session_state.pop(name, None)
