"""Axes and colours that the charts share; they hold on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import streamlit as st

from ui.language import Texts
from ui.reading.scores import Estimate

INK = {"light": "#4a564f", "dark": "#b9c4be"}
GREEN, GREY, RED, AMBER = "#2f9e6e", "#9aa7a0", "#d6504a", "#d0902a"
# Seven cover types, told apart also by who does not see red and green alike.
# Source: Okabe and Ito, Color universal design (2008); without black and yellow, which a page hides.
SEVEN = ("#009e73", "#0072b2", "#e69f00", "#56b4e9", "#cc79a7", "#d55e00", "#8c8c8c")


def show_chart(chart: alt.Chart | alt.LayerChart | alt.FacetChart, key: str, described: str) -> None:
    """Puts a chart on the page, its words as dark, or as light, as the page's own."""
    ink = INK["dark" if st.context.theme.type == "dark" else "light"]
    written = chart.configure_axis(labelColor=ink, titleColor=ink).configure_legend(labelColor=ink)
    st.altair_chart(written, key=key, alt=described)


def axis(texts: Texts, number_format: str, ticks: int, **options: Any) -> alt.Axis:
    """Returns an axis whose numbers bear the language's separators."""
    text = f"format(datum.value, '{number_format}')"
    if texts.language == "es":  # 1,234.5 becomes 1.234,5 by way of a character that is in neither
        text = f"replace(replace(replace({text}, /,/g, '_'), '.', ','), /_/g, '.')"
    return alt.Axis(labelExpr=text, tickCount=ticks, domain=False, ticks=False, **options)


def tooltips(titles: Mapping[str, str]) -> list[alt.Tooltip]:
    """Returns what is shown beside the pointer, by field."""
    return [alt.Tooltip(field, title=title) for field, title in titles.items()]


def interval(texts: Texts, item: Estimate, digits: int = 3) -> str:
    """Returns an interval in words, a dash where none was measured."""
    if item.low is None or item.high is None:
        return "–"
    return f"{texts.number(item.low, digits)} – {texts.number(item.high, digits)}"
