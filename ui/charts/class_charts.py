"""The charts; their colours hold on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from ui.charts.axes import GREEN, GREY, RED, axis, interval, tooltips
from ui.language import Texts
from ui.reading.gold import Batch
from ui.reading.scores import Estimate

Layers = alt.LayerChart | alt.FacetChart


def batch_chart(texts: Texts, batches: Sequence[Batch]) -> alt.Chart:
    """Returns rows landed by batch, split into new, repeated and quarantined."""
    kinds = {"new": GREEN, "repeated": GREY, "quarantined": RED}
    labels = {kind: texts(f"batch.{kind}") for kind in kinds}
    records = [
        {
            "batch": _batch_name(texts, batch, batches),
            "kind": labels[kind],
            "order": order,
            "rows": getattr(batch, f"{kind}_rows"),
            "shown": texts.number(getattr(batch, f"{kind}_rows")),
        }
        for batch in batches
        for order, kind in enumerate(kinds)
    ]
    tooltip = {"batch:N": texts("batch.batch"), "kind:N": texts("batch.kind"), "shown:N": texts("batch.axis")}
    x = alt.X("batch:N", sort=None, title=texts("batch.batch"), axis=alt.Axis(labelAngle=0))
    y = alt.Y("rows:Q", title=texts("batch.axis"), axis=axis(texts, ",d", 4))
    colours = {labels[kind]: colour for kind, colour in kinds.items()}
    return stacked_bars(records, x, y, colours, tooltip, height=280)


def stacked_bars(
    records: Sequence[Mapping[str, object]],
    x: alt.X,
    y: alt.Y,
    colours: Mapping[str, str],
    tooltip: Mapping[str, str],
    *,
    height: int,
) -> alt.Chart:
    """Draws bars of records with `kind` and `order`, a colour for each kind; the tooltip by field."""
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    legend = alt.Legend(orient="top", labelLimit=160)
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(records), height=height)
        .mark_bar(cornerRadius=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color("kind:N", scale=scale, title=None, legend=legend),
            order=alt.Order("order:Q"),
            tooltip=tooltips(tooltip),
        )
    )
    return chart


def interval_chart(
    texts: Texts,
    estimates: Sequence[Estimate],
    title: str,
    domain: tuple[float, float] | None = None,
    figures: str = ".2f",
) -> Layers:
    """Returns a dot for each figure and a line for its interval.

    Args:
        texts: The reader's language.
        estimates: From top to bottom.
        title: Of the axis.
        domain: Where the axis begins and ends; somewhat below the lowest interval, and at 1, if not given.
        figures: How the axis writes numbers.
    """
    records = [
        {
            "name": item.name,
            "value": item.value,
            "low": item.value if item.low is None else item.low,
            "high": item.value if item.high is None else item.high,
            "shown": texts.number(item.value, 3),
            "interval": interval(texts, item),
        }
        for item in estimates
    ]
    name = alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=170, grid=False))
    scale = alt.Scale(domain=list(domain or (axis_start(estimates), 1.0)), nice=False)
    tooltip = tooltips({"name:N": " ", "shown:N": title, "interval:N": "95 %"})
    chart = alt.Chart(alt.InlineData(records), height=max(90, 34 * len(records) + 45))
    chart = chart.encode(y=name, tooltip=tooltip)
    line = chart.mark_rule(strokeWidth=3, color=GREEN, opacity=0.45).encode(
        x=alt.X("low:Q", scale=scale, title=title, axis=axis(texts, figures, 5)), x2="high:Q"
    )
    dot = chart.mark_circle(size=110, color=GREEN, opacity=1).encode(x=alt.X("value:Q", scale=scale))
    return alt.layer(line, dot)


def probability_chart(texts: Texts, probabilities: Mapping[str, float]) -> alt.Chart:
    """Returns a bar for each cover type, the most probable first and in colour."""
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    records = [
        {
            # The figure stands in the axis, because only there it takes the page's text colour.
            "name": f"{texts.cover_type(name)}  {texts.percent(share)}",
            "share": share,
            "is_first": place == 0,
        }
        for place, (name, share) in enumerate(ranked)
    ]
    axis = alt.Axis(labelLimit=220, labelFontSize=13, domain=False, ticks=False)
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(records), height=32 * len(records) + 10)
        .mark_bar(cornerRadiusEnd=3, height=18)
        .encode(
            y=alt.Y("name:N", sort=None, title=None, axis=axis),
            x=alt.X("share:Q", scale=alt.Scale(domain=[0, 1]), axis=None),
            color=alt.when("datum.is_first").then(alt.value(GREEN)).otherwise(alt.value(GREY)),
            tooltip=alt.Tooltip("name:N", title=texts("predict.cover_type")),
        )
    )
    return chart


def _batch_name(texts: Texts, batch: Batch, batches: Sequence[Batch]) -> str:
    number = "–" if batch.batch is None else str(batch.batch)
    if len({item.group for item in batches}) == 1:
        return number
    return texts("batch.group_and_batch", group=str(batch.group), batch=number)


def axis_start(estimates: Sequence[Estimate]) -> float:
    """Returns a round start of the axis somewhat below the lowest interval."""
    lowest = min(item.value if item.low is None else item.low for item in estimates)
    return max(0.0, int((lowest - 0.03) * 20) / 20)
