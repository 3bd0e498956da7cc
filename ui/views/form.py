"""The form of a cell, made from the contract."""

from __future__ import annotations

import streamlit as st

from contracts.covertype import Choice, Column, covertype
from ui.language import Texts
from ui.reading.cells import Cell

PARTS = ("place", "distances", "light")


def cell_form(texts: Texts, start: Cell, key: str) -> dict[str, int | str] | None:
    """Returns the fields of a cell; their values by column when the form is sent, else None.

    Args:
        texts: The reader's language.
        start: What the fields hold at first.
        key: Tells the forms of different starts apart: each keeps what was typed into it.
    """
    values: dict[str, int | str] = {}
    with st.form("cell", border=True):
        places = dict(zip(PARTS, st.columns(len(PARTS), gap="medium"), strict=True))
        for part, place in places.items():
            place.markdown(f"**{texts(f'predict.{part}')}**")
        for column in sorted(covertype().features, key=lambda column: not column.choices):
            with places[part_of(column)]:
                values[column.name] = _field(texts, column, start, f"{key}_{column.name}")
        is_sent = st.form_submit_button(texts("predict.submit"), type="primary", icon=":material/forest:")
    return values if is_sent else None


def part_of(column: Column) -> str:
    """Returns the part of the form that a column belongs to."""
    if column.unit == "index":
        return "light"
    return "distances" if "_distance_" in column.name else "place"


def cell_name(texts: Texts, cell: Cell) -> str:
    """Returns a cell in one line."""
    return texts(
        "predict.preset_cell",
        cover_type=texts.cover_type(covertype().class_names[cell.cover_type]),
        elevation=cell.features["elevation_m"],
        area=cell.features["wilderness_area"],
    )


def _field(texts: Texts, column: Column, start: Cell, key: str) -> int | str:
    if column.choices:
        return _choice_field(texts, column, str(start.features[column.name]), key)
    bounds = {"minimum": column.minimum, "maximum": column.maximum}
    value = st.number_input(
        texts.column(column),
        min_value=column.minimum,
        max_value=column.maximum,
        value=int(start.features[column.name]),
        step=1,
        key=key,
        help=texts("predict.allowed", description=texts.description(column), **bounds),
        persist_state="session",
    )
    return int(value)


def _choice_field(texts: Texts, column: Column, start: str, key: str) -> str:
    labels = {choice.value: _choice_label(texts, choice) for choice in column.choices}
    return st.selectbox(
        texts.column(column),
        column.values,
        index=column.values.index(start),
        format_func=labels.__getitem__,
        key=key,
        help=texts.description(column),
        persist_state="session",
    )


def _choice_label(texts: Texts, choice: Choice) -> str:
    return texts.soil(choice) if "climatic_zone" in choice.properties else choice.label
