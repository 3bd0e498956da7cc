"""Charts of a model: how sure it is, and how it did on landings that it had not seen."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import streamlit as st

from ui.charts.axes import GREEN, GREY, axis, interval, show_chart, tooltips
from ui.charts.class_charts import Layers, axis_start
from ui.language import Texts
from ui.reading.gold import LiveScore
from ui.reading.scores import Confidence, Estimate

UNIT = alt.Scale(domain=[0, 1], nice=False)


def calibration_chart(texts: Texts, bins: Sequence[Confidence]) -> Layers:
    """Returns how often the model is right against how sure it is, beside the line where both are the
    same."""
    records = [
        {
            "sure": one.confidence,
            "right": one.right.value,
            "low": one.right.low,
            "high": one.right.high,
            "rows": texts.number(one.rows),
            "shown": f"{texts.percent(one.confidence)} → {texts.percent(one.right.value)}",
        }
        for one in bins
    ]
    x = alt.X("sure:Q", scale=UNIT, title=texts("models.sure_axis"), axis=axis(texts, ".1f", 5))
    chart = alt.Chart(alt.InlineData(records), height=300)
    tooltip = tooltips({"shown:N": texts("models.sure_to_right"), "rows:N": texts("models.rows")})
    even = (
        alt.Chart(alt.InlineData([{"at": 0}, {"at": 1}]))
        .mark_line(color=GREY, strokeDash=[5, 4])
        .encode(x=alt.X("at:Q", scale=UNIT), y=alt.Y("at:Q", scale=UNIT))
    )
    spread = chart.mark_rule(strokeWidth=3, color=GREEN, opacity=0.45).encode(
        x=x,
        y=alt.Y("low:Q", scale=UNIT, title=texts("models.right_axis"), axis=axis(texts, ".1f", 5)),
        y2="high:Q",
    )
    dots = chart.mark_circle(size=90, color=GREEN, opacity=1).encode(
        x=x, y=alt.Y("right:Q", scale=UNIT), tooltip=tooltip
    )
    return alt.layer(even, spread, dots)


def show_live(texts: Texts, scores: Sequence[LiveScore]) -> None:
    """Shows accuracy by landing, before anything was learned from it."""
    st.header(texts("models.live"), help=texts("models.live_help"))
    if scores:
        show_chart(live_chart(texts, scores), "live", texts("models.live_chart"))
    else:
        st.info(texts("models.no_live"))


def live_chart(texts: Texts, scores: Sequence[LiveScore]) -> Layers:
    """Draws accuracy on each landing before anything was learned from it, with its interval."""
    estimates = [Estimate("", score.accuracy, score.low, score.high) for score in scores]
    records = [
        {
            "place": place,
            "value": score.accuracy,
            "low": score.low,
            "high": score.high,
            "version": texts("models.version_short", version=str(score.version)),
            "shown": texts.percent(score.accuracy),
            "interval": interval(texts, estimate),
            "rows": texts.number(score.rows),
            "when": f"{score.fetched_at:%Y-%m-%d %H:%M}",
        }
        for place, (score, estimate) in enumerate(zip(scores, estimates, strict=True), start=1)
    ]
    scale = alt.Scale(domain=[axis_start(estimates), 1.0], nice=False)
    x = alt.X(
        "place:O",
        title=texts("models.live_axis"),
        axis=alt.Axis(labelAngle=0, labelOverlap=True, domain=False, ticks=False),
    )
    titles = {
        "when:N": texts("models.fetched"),
        "version:N": texts("models.version"),
        "shown:N": texts("models.live_accuracy"),
        "interval:N": "95 %",
        "rows:N": texts("models.rows"),
    }
    chart = alt.Chart(alt.InlineData(records), height=240).encode(x=x, tooltip=tooltips(titles))
    spread = chart.mark_rule(strokeWidth=3, color=GREEN, opacity=0.45).encode(
        y=alt.Y("low:Q", scale=scale, title=texts("models.live_accuracy"), axis=axis(texts, ".0%", 4)),
        y2="high:Q",
    )
    dots = chart.mark_point(size=80, filled=True, opacity=1, color=GREEN).encode(
        y=alt.Y("value:Q", scale=scale),
        shape=alt.Shape("version:N", title=None, legend=alt.Legend(orient="top")),
    )
    return alt.layer(spread, dots)
