"""What the service does not accept, value by value."""

from __future__ import annotations

import streamlit as st

from contracts.covertype import covertype
from contracts.prediction import Problem
from ui.language import Texts

SHOWN = 12


def show_refusal(texts: Texts, refusal: Problem, first_row: int | None = None) -> None:
    """Shows each value that is not accepted, with what is allowed.

    Args:
        texts: The reader's language.
        refusal: What the service said.
        first_row: How many rows of a file were before the request; None where the request is one row.
    """
    faults = []
    for item in refusal.errors[:SHOWN]:
        said = texts(
            "predict.fault", field=_field_name(texts, item.field), value=str(item.value), allowed=item.allowed
        )
        if first_row is not None and item.row is not None:
            said = texts("predict.in_row", row=first_row + item.row, fault=said)
        faults.append(said)
    st.error("\n- ".join([f"**{texts('predict.refused')}**\n", *faults]), icon=":material/block:")
    if not faults:
        st.caption(refusal.detail)


def _field_name(texts: Texts, name: str | None) -> str:
    names = {column.name: texts.column(column) for column in covertype().features}
    return names.get(name or "", name or "–")
