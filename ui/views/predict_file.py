"""A file of cells: a look at it, then an answer for each, to take along."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from clients.predictions import AnsweredFile
from contracts.covertype import covertype
from contracts.errors import OutsideContract, RowsUnreadable
from contracts.prediction import Problem, Violation
from tabular.formats import CHOSEN
from ui.charts.axes import show_chart
from ui.charts.class_charts import probability_chart
from ui.language import Texts
from ui.reading.cell_file import CHUNK, MEGABYTES, CellFile, read_cells
from ui.reading.cells import example_cell
from ui.reading.exact import free_name, shown_frame
from ui.reading.prediction import predict_file
from ui.session import Session
from ui.views.absence import Unavailable, show_unavailable, try_read
from ui.views.download import CSV, ICON, PARQUET, csv_of, show_downloads
from ui.views.refusal import show_refusal

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.runtime.uploaded_file_manager import UploadedFile

PREVIEW, SHOWN = 5, 1_000
PREDICTED, FLAGS = "predicted_cover_type", "flags"
ANSWERS = (PREDICTED, "probability", FLAGS, "model_version", "request_id")
READ, ANSWERED = "read_file", "answered_file"


@dataclass(frozen=True)
class Answered:
    """A file with its answers, and what gave them.

    Attributes:
        table: The file's rows and columns, then those of the answers.
        names: What each of ANSWERS is called in the table.
        version: The model's.
        request_id: Leads to the prediction log.
    """

    table: pd.DataFrame
    names: Mapping[str, str]
    version: str
    request_id: str


def show_file(visit: Session) -> None:
    """Leads from choosing a file to taking its answers along."""
    texts = visit.texts
    names = ", ".join(f"`{column.name}`" for column in covertype().features)
    st.markdown(texts("file.intro", names=names))
    example = csv_of([example_cell().features])
    st.download_button(texts("file.example"), example, "cells.csv", CSV, icon=ICON, type="tertiary")
    sent = st.file_uploader(texts("file.choose"), CHOSEN, max_upload_size=MEGABYTES, key="cells_file")
    if sent is None:
        return
    file = _read_once(visit, sent)
    if isinstance(file, Problem):
        show_refusal(texts, file, 0)
        return
    if isinstance(file, str):
        st.error(f"**{texts('file.unreadable')}**  \n{file}", icon=":material/error:")
        return
    show_preview(texts, file)
    if st.button(texts("file.predict", rows=len(file.cells)), type="primary", key="predict_file"):
        st.session_state[ANSWERED] = (sent.file_id, answer_file(visit, file))
    answered = st.session_state.get(ANSWERED)
    if answered and answered[0] == sent.file_id and answered[1] is not None:
        show_answers(texts, answered[1])


def _read_once(visit: Session, sent: UploadedFile) -> CellFile | Problem | str:
    """Returns the file's rows, its values that are not allowed, or why it has no rows.

    The page runs anew at each click, and the file does not change.
    """
    kept = st.session_state.get(READ)
    if kept is None or kept[0] != sent.file_id:
        try:
            kept = (sent.file_id, read_cells(sent.name, sent.getvalue(), visit.ui))
        except RowsUnreadable as error:
            kept = (sent.file_id, str(error))
        except OutsideContract as error:
            faults = [Violation.model_validate(fault) for fault in error.violations]
            kept = (sent.file_id, _problem(str(error), faults))
        st.session_state[READ] = kept
    found: CellFile | Problem | str = kept[1]
    return found


def _problem(detail: str, faults: list[Violation]) -> Problem:
    """Returns what was found before anything was asked, in the form of the service's own refusals."""
    return Problem(type="", title="", status=422, detail=detail, request_id="", errors=faults)


def show_preview(texts: Texts, file: CellFile) -> None:
    """Shows the first rows, and how many there are."""
    st.markdown(texts("file.preview", name=file.name, rows=len(file.frame)))
    st.dataframe(shown_frame(file.frame.head(PREVIEW)), hide_index=True, alt=texts("file.preview_table"))


def answer_file(visit: Session, file: CellFile) -> Answered | None:
    """Returns an answer for each row, in their order; None where something stopped it, which is then on
    the page."""
    texts, rows, parts = visit.texts, len(file.cells), list[AnsweredFile]()
    bar = st.progress(0.0, texts("file.progress", done=0, rows=rows))
    for chunk in file.chunks():
        found = try_read("serving", lambda sent=chunk: predict_file(visit.ui, sent, CSV, PARQUET))  # type: ignore[misc]
        if isinstance(found, Unavailable):
            show_unavailable(texts, found)
            return None
        if isinstance(found, Problem):
            show_refusal(texts, found, len(parts) * CHUNK)
            return None
        parts.append(found)
        done = min(rows, len(parts) * CHUNK)
        bar.progress(done / rows, texts("file.progress", done=done, rows=rows))
    bar.empty()
    names = answer_names(file.frame.columns)
    return Answered(with_answers(file, parts, names), names, parts[0].model_version, parts[0].request_id)


def show_answers(texts: Texts, answered: Answered) -> None:
    """Shows how often each cover type came, the rows with their answers, and the files."""
    table, names = answered.table, answered.names
    counts, doubtful = Counter(table[names[PREDICTED]]), int((table[names[FLAGS]] != "").sum())
    shares = {name: counts[name] / len(table) for name in covertype().class_names}
    st.success(texts("file.done", rows=len(table), version=answered.version), icon=":material/check:")
    if doubtful:
        st.warning(texts("file.doubtful", rows=doubtful), icon=":material/help:")
    left, right = st.columns(2, gap="large")
    with left:
        show_chart(probability_chart(texts, shares), "file_shares", texts("file.shares"))
    right.dataframe(shown_frame(table.head(SHOWN)), hide_index=True, height=270, alt=texts("file.answers"))
    show_downloads(texts, table, "predictions")
    st.page_link(
        "views/lineage.py",
        label=texts("predict.to_lineage"),
        icon=":material/account_tree:",
        query_params={"request": answered.request_id, "version": answered.version},
    )


def answer_names(own: Iterable[object]) -> dict[str, str]:
    """Returns what the answers are called beside a file's own columns, which keep their names and values."""
    taken = {str(name).casefold() for name in own}
    return {answer: free_name(answer, taken) for answer in ANSWERS}


def with_answers(file: CellFile, parts: Sequence[AnsweredFile], names: Mapping[str, str]) -> pd.DataFrame:
    """Returns the file's own rows and columns, followed by what was answered, under `answer_names`."""
    import pandas as pd

    answers = pd.concat([pd.read_parquet(io.BytesIO(part.content)) for part in parts], ignore_index=True)
    columns = (
        answers["cover_type_name"],
        answers["probability"].round(6),
        answers["flags"].map(_joined),
        parts[0].model_version,
        [part.request_id for part in parts for _ in range(CHUNK)][: len(answers)],
    )
    named: dict[str, Any] = dict(zip((names[answer] for answer in ANSWERS), columns, strict=True))
    return file.frame.reset_index(drop=True).assign(**named)


def _joined(flags: object) -> str:
    """Returns flags as one text, whether they come as a list or joined already."""
    return flags if isinstance(flags, str) else ";".join(str(flag) for flag in flags)  # type: ignore[attr-defined]
