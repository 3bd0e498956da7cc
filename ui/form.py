"""The form of a cell, made from the contract."""

from __future__ import annotations

import streamlit as st

from contracts.covertype import Choice, Column, covertype
from contracts.prediction import example_row
from ui.gold import Cell
from ui.language import Texts

PARTS = ("place", "distances", "light")


def example_cell() -> Cell:
    """The first cell of the published survey, an aspen stand; it needs no lake.

    Source: https://archive.ics.uci.edu/dataset/31/covertype
    """
    return Cell(example_row(covertype()), cover_type=4)


def cell_form(texts: Texts) -> dict[str, int | str] | None:
    """The fields of a cell; their values by column when the form is sent, else None."""
    values: dict[str, int | str] = {}
    with st.form("cell", border=True):
        places = dict(zip(PARTS, st.columns(len(PARTS), gap="medium"), strict=True))
        for part, place in places.items():
            place.markdown(f"**{texts(f'predict.{part}')}**")
        for column in sorted(covertype().features, key=lambda column: not column.choices):
            with places[part_of(column)]:
                values[column.name] = _field(texts, column)
        is_sent = st.form_submit_button(texts("predict.submit"), type="primary", icon=":material/forest:")
    return values if is_sent else None


def part_of(column: Column) -> str:
    """The part of the form that a column belongs to."""
    if column.unit == "index":
        return "light"
    return "distances" if "_distance_" in column.name else "place"


def fill(cell: Cell) -> None:
    """Puts a cell into the form; only before its fields are drawn."""
    for name, value in cell.features.items():
        st.session_state[_key(name)] = value


def is_filled() -> bool:
    """Whether the form's fields hold anything; Streamlit forgets them when another page is shown."""
    return all(_key(column.name) in st.session_state for column in covertype().features)


def cell_name(texts: Texts, cell: Cell) -> str:
    """A cell in one line."""
    return texts(
        "predict.preset_cell",
        cover_type=texts.cover_type(covertype().class_names[cell.cover_type]),
        elevation=cell.features["elevation_m"],
        area=cell.features["wilderness_area"],
    )


def _field(texts: Texts, column: Column) -> int | str:
    if column.choices:
        labels = {choice.value: _choice_label(texts, choice) for choice in column.choices}
        return str(
            st.selectbox(
                texts.column(column),
                column.values,
                format_func=labels.__getitem__,
                key=_key(column.name),
                help=texts.description(column),
            )
        )
    bounds = {"minimum": column.minimum, "maximum": column.maximum}
    return int(
        st.number_input(
            texts.column(column),
            min_value=column.minimum,
            max_value=column.maximum,
            step=1,
            key=_key(column.name),
            help=texts("predict.allowed", description=texts.description(column), **bounds),
        )
    )


def _choice_label(texts: Texts, choice: Choice) -> str:
    return texts.soil(choice) if "climatic_zone" in choice.properties else choice.label


def _key(name: str) -> str:
    return f"cell_{name}"
