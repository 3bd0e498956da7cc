"""The page of the prediction: a cell in, a cover type out."""

from __future__ import annotations

import streamlit as st

from contracts.covertype import covertype
from contracts.prediction import Problem
from ui import gold
from ui.absence import Away, attempt, show_away
from ui.charts import probability_chart
from ui.form import cell_form, cell_name, example_cell
from ui.gold import Cell
from ui.language import Texts
from ui.prediction import Prediction, predict, served_model
from ui.session import Session, session


def show_page(visit: Session) -> None:
    """The whole page."""
    texts = visit.texts
    st.title(texts("predict.title"))
    st.markdown(texts("predict.intro"))
    place, chosen = choose_preset(visit)
    features = cell_form(texts, chosen, f"cell_{place}")
    if features:
        show_answer(visit, features, chosen)
    else:
        show_waiting(visit)


def choose_preset(visit: Session) -> tuple[int, Cell]:
    """A cell to start from and its place in the list; the held-out ones come from gold."""
    texts = visit.texts
    found = attempt("lake", lambda: gold.presets(visit.lake, gold.publication(visit.lake)))
    cells = [example_cell(), *([] if isinstance(found, Away) else found)]
    names = [texts("predict.preset_example"), *(cell_name(texts, cell) for cell in cells[1:])]
    place = st.selectbox(
        texts("predict.preset"),
        range(len(cells)),
        format_func=names.__getitem__,
        key="preset",
        help=texts("predict.preset_help"),
        persist_state="session",
    )
    if isinstance(found, Away):
        st.caption(texts("predict.no_presets"))
    return place, cells[place]


def show_waiting(visit: Session) -> None:
    """Before the form is sent: which model would answer."""
    texts = visit.texts
    served = attempt("serving", lambda: served_model(visit.ui))
    if isinstance(served, Away):
        return show_away(texts, served)
    st.markdown(texts("predict.waiting"))
    st.caption(texts("predict.answering_now", version=served.version, snapshot=served.snapshot_id))
    return None


def show_answer(visit: Session, features: dict[str, int | str], chosen: Cell) -> None:
    """What the service answered, or what it does not accept."""
    texts = visit.texts
    with st.spinner(texts("predict.asking")):
        answer = attempt("serving", lambda: predict(visit.ui, features))
    if isinstance(answer, Away):
        show_away(texts, answer)
    elif isinstance(answer, Problem):
        show_refusal(texts, answer)
    else:
        show_prediction(texts, answer)
        if features == dict(chosen.features):
            show_survey(texts, answer, chosen)


def show_prediction(texts: Texts, answer: Prediction) -> None:
    """The cover type, how sure the model is, and which model it was."""
    left, right = st.columns([2, 3], gap="large")
    share = texts.percent(answer.probabilities[answer.cover_type])
    left.header(texts.cover_type(answer.cover_type), anchor=False)
    left.badge(texts("predict.sure", share=share), color="green")
    left.caption(
        texts(
            "predict.answered_by",
            version=answer.model.version,
            name=answer.model.name,
            snapshot=answer.model.snapshot_id,
            request=answer.request_id,
        )
    )
    chart = probability_chart(texts, answer.probabilities)
    right.altair_chart(chart, key="probabilities", alt=texts("predict.chart"))


def show_survey(texts: Texts, answer: Prediction, cell: Cell) -> None:
    """What really grows there, where the cell is a surveyed one."""
    name = covertype().class_names[cell.cover_type]
    shown = texts.cover_type(name)
    if name == answer.cover_type:
        st.success(texts("predict.surveyed_same", cover_type=shown), icon=":material/check:")
    else:
        st.info(texts("predict.surveyed_other", cover_type=shown), icon=":material/travel_explore:")


def show_refusal(texts: Texts, refusal: Problem) -> None:
    """Each value that is not accepted, with what is allowed."""
    faults = [
        texts("predict.fault", field=_field_name(texts, item.field), value=item.value, allowed=item.allowed)
        for item in refusal.errors
    ]
    st.error("\n- ".join([f"**{texts('predict.refused')}**\n", *faults]), icon=":material/block:")
    if not faults:
        st.caption(refusal.detail)


def _field_name(texts: Texts, name: str | None) -> str:
    names = {column.name: texts.column(column) for column in covertype().features}
    return names.get(name or "", name or "–")


if __name__ == "__main__":
    show_page(session())
