"""What would change the answer: the shares of all cover types while one feature varies."""

from __future__ import annotations

import altair as alt

from contracts.covertype import Column, covertype
from ui.charts.axes import SEVEN, axis
from ui.charts.class_charts import Layers
from ui.language import Texts
from ui.reading.prediction import Points


def variation_chart(texts: Texts, column: Column, points: Points, present: int | str) -> Layers:
    """Draws areas that sum to 1 over a range of numbers, bars over names; a line marks the cell's own value.

    Args:
        texts: The reader's language.
        column: The feature that varies.
        points: Its values with the shares by class name.
        present: The cell's own value.
    """
    names = covertype().class_names
    records = [
        {"value": value, "name": texts.cover_type(name), "order": order, "share": shares[name]}
        for value, shares in points
        for order, name in enumerate(names)
    ]
    colour = alt.Color(
        "name:N",
        title=None,
        scale=alt.Scale(domain=[texts.cover_type(name) for name in names], range=list(SEVEN)),
        legend=alt.Legend(orient="bottom", columns=2, labelLimit=180, symbolType="square"),
    )
    y = alt.Y(
        "share:Q",
        stack="zero",
        title=texts("predict.probability"),
        scale=alt.Scale(domain=[0, 1]),
        axis=axis(texts, ".0%", 4),
    )
    tooltip = [
        alt.Tooltip("name:N", title=texts("predict.cover_type")),
        alt.Tooltip("value", type="nominal", title=texts.column(column)),
        alt.Tooltip("share:Q", title=texts("predict.probability"), format=".1%"),
    ]
    chart = alt.Chart(alt.InlineData(records), height=300)
    kind = "N" if column.choices else "Q"
    x = alt.X(f"value:{kind}", title=texts.column(column), axis=_axis(texts, column), scale=_scale(column))
    drawn = (chart.mark_bar() if column.choices else chart.mark_area(opacity=0.9)).encode(
        x=x, y=y, color=colour, order=alt.Order("order:Q"), tooltip=tooltip
    )
    if column.choices:
        return alt.layer(drawn)
    here = alt.Chart(alt.InlineData([{"value": present}])).mark_rule(strokeWidth=2, strokeDash=[6, 3])
    return alt.layer(drawn, here.encode(x=alt.X("value:Q"), color=alt.value("#ffffff")))


def _axis(texts: Texts, column: Column) -> alt.Axis:
    if column.choices:
        return alt.Axis(labelAngle=-60, labelLimit=90, domain=False, ticks=False)
    return axis(texts, ",d", 5)


def _scale(column: Column) -> alt.Scale:
    return alt.Scale() if column.choices else alt.Scale(nice=False, zero=False)
