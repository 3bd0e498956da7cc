"""The page of the prediction: a cell in, a cover type out; or a file of cells."""

from __future__ import annotations

import streamlit as st

from clients.predictions import Prediction, Predictions
from contracts.covertype import covertype
from contracts.prediction import Problem
from ui.charts.axes import show_chart
from ui.charts.class_charts import probability_chart
from ui.charts.variation_chart import variation_chart
from ui.language import Texts
from ui.reading.cells import Cell, example_cell, presets, ranges
from ui.reading.pointer import publication
from ui.reading.prediction import predict, served_model, values_of, vary
from ui.session import Session, session
from ui.views.absence import Unavailable, show_unavailable, try_read
from ui.views.form import cell_form, cell_name
from ui.views.predict_file import show_file
from ui.views.refusal import show_refusal

ASKED = "asked_cell"


def show_page(visit: Session) -> None:
    """Shows the whole page."""
    texts = visit.texts
    st.title(texts("predict.title"))
    st.markdown(texts("predict.intro"))
    cell, file = st.tabs([texts("predict.one_cell"), texts("predict.a_file")])
    with cell:
        show_cell(visit)
    with file:
        show_file(visit)


def show_cell(visit: Session) -> None:
    """Shows the form, and what came of it."""
    state = st.session_state
    place, chosen = choose_preset(visit)
    features = cell_form(visit.texts, chosen, f"cell_{place}")
    if features:
        with st.spinner(visit.texts("predict.asking")):
            answer = try_read("serving", lambda: predict(visit.ui, features))
        state[ASKED] = (place, features, answer)
    if ASKED in state and state[ASKED][0] == place:
        show_answer(visit, state[ASKED][1], state[ASKED][2], chosen)
    else:
        show_waiting(visit)


def choose_preset(visit: Session) -> tuple[int, Cell]:
    """Returns a cell to start from and its place in the list; the held-out ones come from gold."""
    texts = visit.texts
    found = try_read("lake", lambda: presets(visit.lake, publication(visit.lake)))
    cells = [example_cell(), *([] if isinstance(found, Unavailable) else found)]
    names = [texts("predict.preset_example"), *(cell_name(texts, cell) for cell in cells[1:])]
    place = st.selectbox(
        texts("predict.preset"),
        range(len(cells)),
        format_func=names.__getitem__,
        key="preset",
        help=texts("predict.preset_help"),
        persist_state="session",
    )
    if isinstance(found, Unavailable):
        st.caption(texts("predict.no_presets"))
    return place, cells[place]


def show_waiting(visit: Session) -> None:
    """Shows, before the form is sent, which model would answer."""
    texts = visit.texts
    served = try_read("serving", lambda: served_model(visit.ui))
    if isinstance(served, Unavailable):
        return show_unavailable(texts, served)
    st.markdown(texts("predict.waiting"))
    st.caption(texts("predict.answering_now", version=served.version, snapshot=served.snapshot_id))
    return None


def show_answer(
    visit: Session, features: dict[str, int | str], answer: Predictions | Problem | Unavailable, chosen: Cell
) -> None:
    """Shows what the service answered, or what it does not accept."""
    texts = visit.texts
    if isinstance(answer, Unavailable):
        show_unavailable(texts, answer)
    elif isinstance(answer, Problem):
        show_refusal(texts, answer)
    else:
        show_prediction(texts, answer)
        prediction = answer.predictions[0]
        show_flags(texts, prediction)
        if features == dict(chosen.features):
            show_survey(texts, prediction, chosen)
        st.fragment(show_variation)(visit, features)


def show_prediction(texts: Texts, answer: Predictions) -> None:
    """Shows the cover type, how sure the model is, and which model it was."""
    prediction = answer.predictions[0]
    left, right = st.columns([2, 3], gap="large")
    share = texts.percent(prediction.probabilities[prediction.cover_type_name])
    left.container(key="answer").header(texts.cover_type(prediction.cover_type_name), anchor=False)
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
    left.page_link(
        "views/lineage.py",
        label=texts("predict.to_lineage"),
        icon=":material/account_tree:",
        query_params={"request": answer.request_id, "version": answer.model.version},
    )
    chart = probability_chart(texts, prediction.probabilities)
    with right:
        show_chart(chart, "probabilities", texts("predict.chart"))


def show_flags(texts: Texts, answer: Prediction) -> None:
    """Shows why to trust the answer less: values that the model has seen rarely, or never."""
    if not answer.flags:
        return
    lines = [
        texts(
            "predict.flag",
            field=texts.column(covertype().column(flag.field)),
            what=texts.get(f"flag.{flag.code}", flag.code),
        )
        for flag in answer.flags
    ]
    st.warning("\n- ".join([f"**{texts('predict.low_trust')}**\n", *lines]), icon=":material/help:")


def show_survey(texts: Texts, answer: Prediction, cell: Cell) -> None:
    """Shows what really grows there, where the cell is a surveyed one."""
    name = covertype().class_names[cell.cover_type]
    shown = texts.cover_type(name)
    if name == answer.cover_type_name:
        st.success(texts("predict.surveyed_same", cover_type=shown), icon=":material/check:")
    else:
        st.info(texts("predict.surveyed_other", cover_type=shown), icon=":material/travel_explore:")


def show_variation(visit: Session, features: dict[str, int | str]) -> None:
    """Shows the same cell with one feature varied over the range that the collection has."""
    texts, columns = visit.texts, covertype().features
    st.header(texts("predict.vary"), help=texts("predict.vary_help"))
    names = {column.name: texts.column(column) for column in columns}
    name = st.selectbox(
        texts("predict.feature"),
        list(names),
        format_func=names.__getitem__,
        key="varied",
        persist_state="session",
    )
    column = covertype().column(name)
    seen = try_read("lake", lambda: ranges(visit.lake, publication(visit.lake)))
    values = values_of(column, features[name], {} if isinstance(seen, Unavailable) else seen)
    points = try_read("serving", lambda: vary(visit.ui, features, column, values))
    if isinstance(points, Unavailable):
        show_unavailable(texts, points)
    elif isinstance(points, Problem):
        show_refusal(texts, points)
    else:
        chart = variation_chart(texts, column, points, features[name])
        show_chart(chart, "variation", texts("predict.vary_chart", field=names[name]))
        st.caption(texts("predict.vary_note", value=str(features[name])))


if __name__ == "__main__":
    show_page(session())
