"""The page of the way: from what the source said to the model that answers, with live numbers."""

from __future__ import annotations

import streamlit as st

from ui import gold, registry
from ui.absence import Away, attempt, show_away
from ui.charts import batch_chart
from ui.language import Texts
from ui.prediction import served_model
from ui.runs import Run, is_answering, last_runs
from ui.session import Session, session
from ui.stages import lake_stages, model_stage, prediction_stage
from ui.way import way_html

COLOURS = {"success": "green", "failed": "red", "running": "blue", "queued": "orange"}


def show_page(visit: Session) -> None:
    """The whole page; its live part looks again by itself."""
    texts = visit.texts
    st.title(texts("pipeline.title"))
    st.markdown(texts("pipeline.intro"))
    st.fragment(show_live, run_every=visit.ui.refresh_s)(visit)
    show_links(visit)


def show_live(visit: Session) -> None:
    """Everything on the page that changes while somebody watches."""
    texts = visit.texts
    progress = attempt("lake", lambda: gold.progress(visit.lake, gold.publication(visit.lake)))
    champion = attempt("mlflow", lambda: registry.champion(visit.ui))
    served = attempt("serving", lambda: served_model(visit.ui))
    stages = [
        *lake_stages(texts, progress),
        model_stage(texts, champion),
        prediction_stage(texts, served, champion),
    ]
    st.html(way_html(texts, stages))
    seen = {answer.part: answer for answer in (progress, champion, served) if isinstance(answer, Away)}
    for away in seen.values():
        show_away(texts, away)
    if not isinstance(progress, Away):
        show_batches(texts, progress.batches)
    show_runs(visit)
    st.caption(texts("pipeline.refreshed", seconds=f"{visit.ui.refresh_s:g}"))


def show_batches(texts: Texts, batches: tuple[gold.Batch, ...]) -> None:
    """What each batch brought, as bars and as a table."""
    st.subheader(texts("pipeline.batches"), help=texts("pipeline.batches_help"))
    if not batches:
        st.info(texts("pipeline.no_batches"))
        return
    st.altair_chart(batch_chart(texts, batches), key="batches", alt=texts("batch.chart"))
    with st.expander(texts("pipeline.table")):
        st.dataframe(_batch_table(texts, batches), hide_index=True, alt=texts("pipeline.batches"))


def show_runs(visit: Session) -> None:
    """The last run of each DAG, where Airflow answers and a sign-in is set."""
    texts = visit.texts
    st.subheader(texts("pipeline.runs"))
    if visit.ui.airflow_password_file is None:
        return show_health(visit)
    found = attempt("airflow", lambda: last_runs(visit.ui))
    if isinstance(found, Away):
        return show_away(texts, found)
    for place, run in zip(st.columns(len(found), border=True), found, strict=True):
        place.markdown(_run_text(texts, run))
    return None


def show_health(visit: Session) -> None:
    """Without a sign-in: only whether Airflow is up."""
    health = attempt("airflow", lambda: is_answering(visit.ui))
    if isinstance(health, Away):
        show_away(visit.texts, health)
    else:
        st.info(visit.texts("pipeline.no_sign_in"))


def show_links(visit: Session) -> None:
    """Where to look closer."""
    texts, ui = visit.texts, visit.ui
    st.subheader(texts("pipeline.links"))
    with st.container(horizontal=True):
        st.link_button(texts("link.airflow"), ui.airflow_url, icon=":material/schedule:")
        st.link_button(texts("link.mlflow"), ui.mlflow_url, icon=":material/science:")
        st.link_button(texts("link.docs"), ui.docs_url, icon=":material/menu_book:")
        st.link_button(texts("link.serving"), f"{ui.serving_url}/docs", icon=":material/api:")


def _batch_table(texts: Texts, batches: tuple[gold.Batch, ...]) -> list[dict[str, int | None]]:
    return [
        {
            texts("batch.group"): batch.group,
            texts("batch.batch"): batch.batch,
            texts("batch.requests"): batch.requests,
            texts("batch.rows"): batch.rows,
            texts("batch.new"): batch.new_rows,
            texts("batch.repeated"): batch.repeated_rows,
            texts("batch.quarantined"): batch.quarantined_rows,
        }
        for batch in batches
    ]


def _run_text(texts: Texts, run: Run) -> str:
    state = run.state or "never"
    lines = [
        f"**{run.dag}** :{COLOURS.get(state, 'gray')}-badge[{texts.get(f'run.{state}', state)}]",
        texts(f"dag.{run.dag}"),
    ]
    if run.started_at:
        age = texts.age(run.started_at)
        lines.append(age if run.duration_s is None else f"{age} · {texts.duration(run.duration_s)}")
    return "  \n".join(lines)


if __name__ == "__main__":
    show_page(session())
