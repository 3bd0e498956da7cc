"""The gate over time, and small multiples: a little chart for each feature over the same landings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from ui.charts.axes import AMBER, GREEN, GREY, RED, axis
from ui.charts.class_charts import Layers, stacked_bars
from ui.language import Texts
from ui.reading.quality import Audit

ROW_HEIGHT = 56

Record = dict[str, Any]
PLAIN = alt.Axis(labelAngle=0, labelOverlap=True, domain=False, ticks=False)


@dataclass(frozen=True)
class Multiple:
    """One feature's figures, a landing each; None where there is none.

    Attributes:
        title: The feature, with its unit.
        now: The newest figure in words.
        values: What the line goes through.
        low: The lower edge of a band around it; empty for none.
        high: The upper edge.
        limit: Where a warning begins; None for none.
    """

    title: str
    now: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    limit: float | None = None

    @property
    def is_over(self) -> bool:
        """Returns whether the newest figure is above the limit."""
        newest = next((value for value in reversed(self.values) if value is not None), None)
        return self.limit is not None and newest is not None and newest > self.limit


def audit_chart(texts: Texts, audits: Sequence[Audit]) -> alt.Chart:
    """Draws expectations by audit: held, warned of, failed."""
    kinds = {"passed": GREEN, "warnings": AMBER, "failures": RED}
    labels = {kind: texts(f"quality.{kind}") for kind in kinds}
    records = [
        {
            "audit": audit.number,
            "kind": labels[kind],
            "order": order,
            "count": count,
            "snapshot": str(audit.snapshot_id),
            "when": f"{audit.audited_at:%Y-%m-%d %H:%M}",
        }
        for audit in audits
        for order, (kind, count) in enumerate(
            {"passed": audit.passed, "warnings": len(audit.warnings), "failures": len(audit.failures)}.items()
        )
    ]
    tooltip = {
        "audit:O": texts("quality.audit"),
        "when:N": texts("quality.audited"),
        "snapshot:N": texts("quality.snapshot"),
        "kind:N": " ",
        "count:Q": texts("quality.expectations"),
    }
    colours = {labels[kind]: colour for kind, colour in kinds.items()}
    x = alt.X("audit:O", title=texts("quality.audit"), axis=PLAIN)
    y = alt.Y("count:Q", title=texts("quality.expectations"), axis=axis(texts, "d", 4))
    return stacked_bars(records, x, y, colours, tooltip, height=220)


def multiples_chart(texts: Texts, multiples: Sequence[Multiple], *, shared: float | None = None) -> Layers:
    """Returns a row for each feature: a line that ends in a point, with its band and its limit where there
    are such.

    Args:
        texts: The reader's language.
        multiples: From top to bottom.
        shared: Greatest value of an axis from 0 that all rows share; each has its own if not given.
    """
    rows, last = len(multiples), max(2, *(len(item.values) for item in multiples)) - 1
    records, limits = list[Record](), list[Record]()
    for row, item in enumerate(multiples):
        _draw(item, row, shared, records, limits)
    names = [[item.title, item.now + (" ▲" if item.is_over else "")] for item in multiples]
    named = f"{json.dumps(names, ensure_ascii=False)}[floor(datum.value)]"
    ends = f"datum.value < 0 ? '{texts('quality.oldest')}' : '{texts('quality.newest')}'"
    plain: dict[str, Any] = {"grid": False, "domain": False, "ticks": False}
    x = alt.Axis(values=[-last, 0], labelExpr=ends, labelFlush=True, **plain)
    y = alt.Axis(values=[row + 0.4 for row in range(rows)], labelExpr=named, labelLimit=210, **plain)
    scale = alt.Scale(domain=[rows, 0], nice=False)
    chart = alt.Chart(alt.InlineData(records), height=ROW_HEIGHT * rows).encode(
        x=alt.X("place:Q", title=None, axis=x, scale=alt.Scale(domain=[-last, 0], nice=False)),
        y=alt.Y("value:Q", title=None, axis=y, scale=scale),
        detail="row:N",
    )
    edges = alt.Chart(alt.InlineData([{"edge": row} for row in range(1, rows)]))
    return alt.layer(
        edges.mark_rule(color=GREY, opacity=0.35, aria=False).encode(y=alt.Y("edge:Q", scale=scale)),
        chart.mark_area(color=GREEN, opacity=0.25, aria=False).encode(
            y=alt.Y("low:Q", scale=scale), y2="high:Q"
        ),
        alt.Chart(alt.InlineData(limits))
        .mark_rule(color=RED, strokeDash=[4, 3], aria=False)
        .encode(y=alt.Y("limit:Q", scale=scale)),
        chart.mark_line(color=GREEN),
        # Without a point its container would be a picture without a text.
        chart.mark_circle(size=50, opacity=1, aria=any(item.get("is_newest") for item in records))
        .transform_filter(alt.datum.is_newest)
        .encode(color=alt.when("datum.is_over").then(alt.value(RED)).otherwise(alt.value(GREEN))),
    )


def _draw(
    item: Multiple, row: int, shared: float | None, records: list[Record], limits: list[Record]
) -> None:
    """Adds a feature's figures as heights in its row; the newest is at place 0, the others left of it."""
    figures = {"value": item.values, "low": item.low, "high": item.high}
    known = [value for column in figures.values() for value in column if value is not None]
    bottom, top = (0.0, shared) if shared is not None else (min(known, default=0.0), max(known, default=1.0))

    def height(value: float | None) -> float | None:
        return None if value is None else row + 0.87 - 0.7 * (value - bottom) / ((top - bottom) or 1.0)

    own: list[Record] = [
        {"row": row, "place": place - len(item.values) + 1, "feature": item.title, "figure": value}
        | {name: height(column[place]) for name, column in figures.items() if column}
        for place, value in enumerate(item.values)
        if value is not None
    ]
    if own:
        own[-1] |= {"is_newest": True, "is_over": item.is_over}
    records += own
    limits += [{"limit": height(item.limit)}] if item.limit is not None and item.limit <= top else []
