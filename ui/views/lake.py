"""The page of the lake: its tables in words, and a box for a query at the published pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import streamlit as st

from contracts.errors import CanopyError, QueriesBusy, QueryFailed, QueryRefused, QueryWrites
from lake.publish.pointer import Publication
from ui.charts.axes import GREEN, show_chart
from ui.language import Texts
from ui.reading import question, tables
from ui.reading.exact import shown_frame
from ui.reading.pointer import publication
from ui.reading.question import ROW_LIMIT, Found
from ui.reading.tables import Table
from ui.session import Session, session
from ui.views.absence import Unavailable, show_unavailable, try_read
from ui.views.download import show_downloads

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = {
    "cover": (
        "select cover_type_name, sum(observations) as observations\n"
        "from gold.cover_by_area_and_elevation\n"
        "group by cover_type_name\n"
        "order by observations desc"
    ),
    "elevation": (
        "select elevation_from_m, sum(observations) as observations\n"
        "from gold.cover_by_area_and_elevation\n"
        "group by elevation_from_m\n"
        "order by elevation_from_m"
    ),
    "water": (
        "select cover_type_name, quantile_50_m as median_m, quantile_95_m\n"
        "from gold.distances_by_cover_type\n"
        "where destination = 'water'\n"
        "order by median_m"
    ),
    "progress": (
        "select group_number, batch_number, requests, landed_rows, new_rows, coverage\n"
        "from gold.collection_progress\n"
        "order by last_fetched_at"
    ),
}
BAR, LINE, POINTS = "bar", "line", "points"
DRAWN_ROWS = 200


def show_page(visit: Session) -> None:
    """Shows the whole page."""
    texts = visit.texts
    st.title(texts("lake.title"))
    st.markdown(texts("lake.intro"))
    published = try_read("lake", lambda: publication(visit.lake))
    if isinstance(published, Unavailable):
        return show_unavailable(texts, published)
    st.caption(
        texts(
            "lake.pointer",
            publication=str(published.publication_id),
            snapshot=str(published.snapshot_id),
            age=texts.age(published.published_at),
        )
    )
    question.prepare_questions(visit.lake)
    show_query(visit)
    show_tables(visit, published)
    return None


def show_query(visit: Session) -> None:
    """Shows the box, and what the last query gave."""
    texts, state = visit.texts, st.session_state
    limits = {"rows": ROW_LIMIT, "seconds": f"{visit.ui.question_timeout_s:g}"}
    st.header(texts("lake.query"), help=texts("lake.query_help", **limits))
    names = {key: texts(f"example.{key}") for key in EXAMPLES}
    example = st.selectbox(
        texts("lake.example"),
        list(names),
        format_func=names.__getitem__,
        key="example",
        persist_state="session",
    )
    with st.form("query", border=False):
        query = st.text_area(
            "SQL", EXAMPLES[example], height=150, key=f"sql_{example}", persist_state="session"
        )
        is_sent = st.form_submit_button(texts("lake.run"), type="primary", icon=":material/play_arrow:")
    if is_sent and (query or "").strip():
        with st.spinner(texts("lake.running")):
            state["answer"] = _asked(visit, query or "")
    if "answer" in state:
        show_answer(texts, state["answer"])
    else:
        st.caption(texts("lake.limits", **limits))


def show_answer(texts: Texts, answer: Found | Unavailable | str) -> None:
    """Shows rows as a table or a chart; or why there are none."""
    if isinstance(answer, str):
        said = answer.replace("`", "'")  # it repeats what was asked, and must not end the block
        st.error(f"**{texts('lake.failed')}**  \n```\n{said}\n```", icon=":material/error:")
        return
    if isinstance(answer, Unavailable):
        show_unavailable(texts, answer)
        return
    frame = answer.frame
    st.caption(texts("lake.found", rows=len(frame), seconds=texts.duration(answer.seconds)))
    if answer.is_cut:
        st.warning(texts("lake.cut", rows=ROW_LIMIT), icon=":material/content_cut:")
    table, chart = st.tabs([texts("lake.as_table"), texts("lake.as_chart")])
    with table:
        st.dataframe(shown_frame(frame), hide_index=True, alt=texts("lake.as_table"))
    with chart:
        show_drawn(texts, frame)
    show_downloads(texts, frame, "answer")


def show_drawn(texts: Texts, frame: pd.DataFrame) -> None:
    """Shows the first column against a number, as a person chooses."""
    numbers = list(frame.select_dtypes("number").columns)
    if frame.empty or not numbers or len(frame.columns) < 2:
        st.info(texts("lake.no_chart"))
        return
    left, middle, right = st.columns(3)
    across = left.selectbox(texts("lake.across"), list(frame.columns), key="chart_x")
    rest = [name for name in numbers if name != across] or numbers
    up = middle.selectbox(texts("lake.up"), rest, key="chart_y")
    kinds = {kind: texts(f"lake.{kind}") for kind in (BAR, LINE, POINTS)}
    kind = right.selectbox(texts("lake.kind"), list(kinds), format_func=kinds.__getitem__, key="chart_kind")
    show_chart(_chart(frame.head(DRAWN_ROWS), across, up, kind), "answer_chart", f"{up} / {across}")


def show_tables(visit: Session, published: Publication) -> None:
    """Shows each table with what it holds, and its columns with their units."""
    texts = visit.texts
    st.header(texts("lake.tables"), help=texts("lake.tables_help"))
    found = try_read("lake", lambda: tables.tables(visit.lake, published))
    if isinstance(found, Unavailable):
        return show_unavailable(texts, found)
    st.link_button(
        texts("lake.docs"), f"{visit.ui.docs_url}/dbt/", icon=":material/menu_book:", type="tertiary"
    )
    for table in found:
        show_table(texts, table)
    return None


def show_table(texts: Texts, table: Table) -> None:
    """Shows one table; the catalog's descriptions are in English."""
    first = table.description.partition(". ")[0].rstrip(".")
    label = texts("lake.table_is", table=table.full_name, rows=table.rows, about=first)
    with st.expander(label):
        st.markdown(table.description or "–")
        names = [texts("lake.column"), texts("lake.type"), texts("lake.meaning")]
        rows = [[f"`{column.name}`", f"`{column.kind}`", column.description] for column in table.columns]
        st.markdown(_markdown_table(names, rows))


def _asked(visit: Session, query: str) -> Found | Unavailable | str:
    texts = visit.texts
    try:
        return question.ask_lake(visit.lake, query, visit.ui)
    except QueryWrites:
        return texts("lake.writes")
    except QueriesBusy:
        return texts("lake.busy", most=visit.ui.questions_at_once)
    except QueryRefused as error:
        return str(error).partition(" is refused: ")[2] or str(error)
    except QueryFailed as error:
        return str(error).partition(" failed: ")[2] or str(error)
    except CanopyError as error:
        return Unavailable("lake", str(error))


def _chart(frame: pd.DataFrame, across: str, up: str, kind: str) -> alt.Chart:
    base = alt.Chart(frame, height=320)
    marked = {
        BAR: lambda: base.mark_bar(color=GREEN),
        LINE: lambda: base.mark_line(color=GREEN),
        POINTS: lambda: base.mark_circle(color=GREEN, size=80),
    }[kind]()
    is_number = across in frame.select_dtypes("number").columns
    axis = alt.Axis(labelLimit=140, labelAngle=0 if is_number else -35)
    chart: alt.Chart = marked.encode(
        x=alt.X(
            across, type="quantitative" if is_number and kind != BAR else "nominal", sort=None, axis=axis
        ),
        y=alt.Y(up, type="quantitative"),
        tooltip=[alt.Tooltip(across, type="nominal"), alt.Tooltip(up, type="quantitative")],
    )
    return chart


def _markdown_table(names: list[str], rows: list[list[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    show_page(session())
