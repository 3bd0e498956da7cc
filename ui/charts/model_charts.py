"""Charts of a model: how sure it is, and how it did on landings that it had not seen."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import streamlit as st

from ui.charts.axes import GREEN, GREY, axis, interval, show_chart
from ui.charts.class_charts import Layers
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
    tooltip = [
        alt.Tooltip("shown:N", title=texts("models.sure_to_right")),
        alt.Tooltip("rows:N", title=texts("models.rows")),
    ]
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
    records = [
        {
            "place": place,
            "value": score.accuracy,
            "low": score.low,
            "high": score.high,
            "version": texts("models.version_short", version=str(score.version)),
            "shown": texts.percent(score.accuracy),
            "interval": interval(texts, Estimate("", score.accuracy, score.low, score.high)),
            "rows": texts.number(score.rows),
            "when": f"{score.fetched_at:%Y-%m-%d %H:%M}",
        }
        for place, score in enumerate(scores, start=1)
    ]
    lowest = min((score.low for score in scores), default=0.0)
    scale = alt.Scale(domain=[max(0.0, int((lowest - 0.03) * 20) / 20), 1.0], nice=False)
    chart = alt.Chart(alt.InlineData(records), height=240)
    x = alt.X(
        "place:O",
        title=texts("models.live_axis"),
        axis=alt.Axis(labelAngle=0, labelOverlap=True, domain=False, ticks=False),
    )
    tooltip = [
        alt.Tooltip("when:N", title=texts("models.fetched")),
        alt.Tooltip("version:N", title=texts("models.version")),
        alt.Tooltip("shown:N", title=texts("models.live_accuracy")),
        alt.Tooltip("interval:N", title="95 %"),
        alt.Tooltip("rows:N", title=texts("models.rows")),
    ]
    spread = chart.mark_rule(strokeWidth=3, color=GREEN, opacity=0.45).encode(
        x=x,
        y=alt.Y("low:Q", scale=scale, title=texts("models.live_accuracy"), axis=axis(texts, ".0%", 4)),
        y2="high:Q",
        tooltip=tooltip,
    )
    dots = chart.mark_point(size=80, filled=True, opacity=1, color=GREEN).encode(
        x=x,
        y=alt.Y("value:Q", scale=scale),
        shape=alt.Shape("version:N", title=None, legend=alt.Legend(orient="top")),
        tooltip=tooltip,
    )
    return alt.layer(spread, dots)
