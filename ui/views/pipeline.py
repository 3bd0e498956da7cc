"""The page of the pipeline: from what the source said to the model that answers, with live numbers."""

from __future__ import annotations

import streamlit as st

from clients.calls import ask_json
from lake.bronze.events import ends
from lake.objects import open_objects
from ui.charts.axes import show_chart
from ui.charts.class_charts import batch_chart, interval_chart
from ui.charts.model_charts import show_live
from ui.charts.pipeline_overview import overview_html
from ui.language import Texts
from ui.reading import gold
from ui.reading.pointer import publication
from ui.reading.prediction import served_model
from ui.reading.registry import open_registry
from ui.reading.runs import last_runs
from ui.reading.scores import Estimate
from ui.session import Session, session
from ui.settings import TIMEOUT_S, UiSettings
from ui.views.absence import Unavailable, show_unavailable, try_read
from ui.views.run_now import TOKEN, show_run_now
from ui.views.stages import lake_stages, model_stage, prediction_stage, with_ends, with_runs

MONITOR = "Monitor"
REFRESH_S = 5.0  # an open page looks again


def show_page(visit: Session) -> None:
    """Shows the whole page; its live parts look again by themselves."""
    texts = visit.texts
    st.title(texts("pipeline.title"))
    st.markdown(texts("pipeline.intro"))
    with st.container(key="live_overview"):
        st.fragment(show_overview, run_every=REFRESH_S)(visit)
    show_run_now(visit)
    with st.container(key="live_collection"):
        st.fragment(show_collection, run_every=REFRESH_S)(visit)
    show_links(visit)


def show_overview(visit: Session) -> None:
    """Shows each stage of the pipeline, and which parts are unavailable."""
    texts = visit.texts
    progress = try_read("lake", lambda: gold.progress(visit.lake, publication(visit.lake)))
    champion = try_read("mlflow", lambda: open_registry(visit.ui).champion())
    served = try_read("serving", lambda: served_model(visit.ui))
    runs = try_read("airflow", lambda: last_runs(visit.ui, st.session_state.get(TOKEN)))
    ended = try_read("lake", lambda: ends(open_objects(visit.lake)))
    stages = [
        *with_ends(texts, lake_stages(texts, progress), ended),
        model_stage(texts, champion),
        prediction_stage(texts, served, champion, progress),
    ]
    st.html(overview_html(texts, with_runs(texts, stages, runs)))
    seen = {
        answer.part: answer
        for answer in (progress, champion, served, runs)
        if isinstance(answer, Unavailable)
    }
    for unavailable in seen.values():
        show_unavailable(texts, unavailable)
    show_wrong(texts, visit.ui)
    if runs is None:
        st.caption(texts("pipeline.no_sign_in"))
    st.caption(texts("pipeline.refreshed", seconds=f"{REFRESH_S:g}"))


def active_kinds(settings: UiSettings) -> list[str]:
    """Returns the kinds of alerts that are active, the oldest first; none where no monitor is known.

    Raises: ServiceUnavailable if it does not answer.
    """
    if settings.monitor_url is None:
        return []
    found = ask_json(MONITOR, "GET", f"{settings.monitor_url}/alerts", timeout_s=TIMEOUT_S)
    return list(dict.fromkeys(str(alert["kind"]) for alert in found["alerts"]))


def show_wrong(texts: Texts, settings: UiSettings) -> None:
    """Says what is wrong, and nothing where nothing is."""
    kinds = try_read("monitor", lambda: active_kinds(settings))
    if isinstance(kinds, Unavailable):
        show_unavailable(texts, kinds)
    elif kinds:
        named = ", ".join(f"`{kind}`" for kind in kinds)
        st.warning(texts("pipeline.wrong", kinds=named), icon=":material/notifications_active:")


def show_collection(visit: Session) -> None:
    """Shows how far the collection has come, and how the champion did on what came."""
    texts = visit.texts
    progress = try_read("lake", lambda: gold.progress(visit.lake, publication(visit.lake)))
    if isinstance(progress, Unavailable):
        return  # the overview says so
    left, right = st.columns(2, gap="large")
    with left:
        show_coverage(texts, progress.coverage)
    with right:
        show_live(texts, progress.live)
    show_batches(texts, progress.batches)


def show_coverage(texts: Texts, groups: tuple[gold.Coverage, ...]) -> None:
    """Shows which share of the rows in reach was seen, by group."""
    st.header(texts("pipeline.coverage"), help=texts("pipeline.coverage_help"))
    known = [group for group in groups if group.share is not None]
    if not known:
        st.info(texts("pipeline.no_coverage"))
        return
    estimates = [_coverage(texts, group) for group in known]
    chart = interval_chart(texts, estimates, texts("pipeline.coverage_axis"), (0.0, 1.0), ".0%")
    show_chart(chart, "coverage", texts("pipeline.coverage_chart"))
    for group in known[:1] if len(known) == 1 else []:
        st.caption(_estimate_text(texts, group))


def show_batches(texts: Texts, batches: tuple[gold.Batch, ...]) -> None:
    """Shows what each batch brought, as bars and as a table."""
    st.header(texts("pipeline.batches"), help=texts("pipeline.batches_help"))
    if not batches:
        st.info(texts("pipeline.no_batches"))
        return
    show_chart(batch_chart(texts, batches), "batches", texts("batch.chart"))
    with st.expander(texts("pipeline.table")):
        st.dataframe(_batch_table(texts, batches), hide_index=True, alt=texts("pipeline.batches"))


def show_links(visit: Session) -> None:
    """Shows where to look closer."""
    texts, ui = visit.texts, visit.ui
    st.header(texts("pipeline.links"))
    with st.container(horizontal=True):
        st.link_button(texts("link.airflow"), ui.airflow_page, icon=":material/schedule:")
        st.link_button(texts("link.mlflow"), ui.mlflow_page, icon=":material/science:")
        st.link_button(texts("link.docs"), ui.docs_url, icon=":material/menu_book:")
        st.link_button(texts("link.serving"), f"{ui.serving_url}/docs", icon=":material/api:")


def _coverage(texts: Texts, group: gold.Coverage) -> Estimate:
    name = texts("pipeline.group", group=str(group.group), share=texts.percent(group.share or 0.0))
    return Estimate(name, group.share or 0.0, group.low, group.high)


def _estimate_text(texts: Texts, group: gold.Coverage) -> str:
    return texts(
        "pipeline.estimate",
        seen=group.distinct_rows,
        rows=group.estimated_rows or 0,
        low=texts.number(group.estimated_rows_low),
        high=texts.number(group.estimated_rows_high),
        requests=group.requests,
    )


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


if __name__ == "__main__":
    show_page(session())
