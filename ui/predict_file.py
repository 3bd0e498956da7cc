"""A file of cells: a look at it, then an answer for each, to take along."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import streamlit as st

from contracts.covertype import covertype
from contracts.errors import RowsUnreadable
from contracts.prediction import Problem
from ui.absence import Away, attempt, show_away
from ui.axes import show_chart
from ui.cell_file import CHUNK, MEGABYTES, CellFile, read_cells
from ui.cells import example_cell
from ui.charts import probability_chart
from ui.language import Texts
from ui.prediction import Prediction
from ui.refusal import show_refusal
from ui.rows import predict_rows
from ui.session import Session

if TYPE_CHECKING:
    import pandas as pd

PREVIEW = 5
ANSWERED = "answered_file"


def show_file(visit: Session) -> None:
    """From choosing a file to taking its answers along."""
    texts = visit.texts
    names = ", ".join(f"`{column.name}`" for column in covertype().features)
    st.markdown(texts("file.intro", names=names))
    st.download_button(
        texts("file.example"),
        _example(),
        "cells.csv",
        "text/csv",
        icon=":material/download:",
        type="tertiary",
    )
    sent = st.file_uploader(
        texts("file.choose"), ["csv", "parquet"], max_upload_size=MEGABYTES, key="cells_file"
    )
    if sent is None:
        return
    try:
        file = read_cells(sent.name, sent.getvalue())
    except RowsUnreadable as error:
        st.error(f"**{texts('file.unreadable')}**  \n{error}", icon=":material/error:")
        return
    show_preview(texts, file)
    if st.button(texts("file.predict", rows=len(file.cells)), type="primary", key="predict_file"):
        st.session_state[ANSWERED] = (sent.file_id, answer_file(visit, file))
    answered = st.session_state.get(ANSWERED)
    if answered and answered[0] == sent.file_id and answered[1] is not None:
        show_answers(texts, file, answered[1])


def show_preview(texts: Texts, file: CellFile) -> None:
    """The first rows, and how many there are."""
    st.markdown(texts("file.preview", name=file.name, rows=len(file.frame)))
    st.dataframe(file.frame.head(PREVIEW), hide_index=True, alt=texts("file.preview_table"))


def answer_file(visit: Session, file: CellFile) -> list[Prediction] | None:
    """An answer for each row, in their order; None where something stopped it, which is then on the page."""
    texts, answers = visit.texts, list[Prediction]()
    bar = st.progress(0.0, texts("file.progress", done=0, rows=len(file.cells)))
    for chunk in file.chunks():
        found = attempt("serving", lambda rows=chunk: predict_rows(visit.ui, rows))  # type: ignore[misc]
        if isinstance(found, Away):
            show_away(texts, found)
            return None
        if isinstance(found, Problem):
            show_refusal(texts, found, len(answers))
            return None
        answers += found
        share = len(answers) / len(file.cells)
        bar.progress(share, texts("file.progress", done=len(answers), rows=len(file.cells)))
    bar.empty()
    return answers


def show_answers(texts: Texts, file: CellFile, answers: list[Prediction]) -> None:
    """How often each cover type came, the rows with their answers, and the files."""
    counts = Counter(answer.cover_type for answer in answers)
    shares = {name: counts[name] / len(answers) for name in covertype().class_names}
    st.success(
        texts("file.done", rows=len(answers), version=answers[0].model.version), icon=":material/check:"
    )
    left, right = st.columns(2, gap="large")
    with left:
        show_chart(probability_chart(texts, shares), "file_shares", texts("file.shares"))
    table = with_answers(file, answers)
    right.dataframe(table.head(CHUNK), hide_index=True, height=270, alt=texts("file.answers"))
    with st.container(horizontal=True):
        csv, parquet = table.to_csv(index=False).encode("utf-8"), table.to_parquet()
        st.download_button(
            texts("lake.take_csv"), csv, "predictions.csv", "text/csv", icon=":material/download:"
        )
        st.download_button(
            texts("lake.take_parquet"),
            parquet,
            "predictions.parquet",
            "application/vnd.apache.parquet",
            icon=":material/download:",
        )
    st.page_link(
        "views/lineage.py",
        label=texts("predict.to_lineage"),
        icon=":material/account_tree:",
        query_params={"request": answers[0].request_id, "version": answers[0].model.version},
    )


def with_answers(file: CellFile, answers: list[Prediction]) -> pd.DataFrame:
    """The file's own rows and columns, followed by what was answered."""
    return file.frame.assign(
        predicted_cover_type=[answer.cover_type for answer in answers],
        probability=[round(answer.probabilities[answer.cover_type], 6) for answer in answers],
        model_version=[answer.model.version for answer in answers],
        request_id=[answer.request_id for answer in answers],
    )


def _example() -> bytes:
    features = example_cell().features
    lines = [",".join(features), ",".join(str(value) for value in features.values())]
    return ("\n".join(lines) + "\n").encode()
