"""The gate over time, as a chart."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from ui.charts.axes import AMBER, GREEN, RED, axis
from ui.language import Texts
from ui.reading.quality import Audit


def audit_chart(texts: Texts, audits: Sequence[Audit]) -> alt.Chart:
    """Expectations by audit: held, warned of, failed."""
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
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(records), height=220)
        .mark_bar(cornerRadius=1)
        .encode(
            x=alt.X(
                "audit:O",
                title=texts("quality.audit"),
                axis=alt.Axis(labelAngle=0, labelOverlap=True, domain=False, ticks=False),
            ),
            y=alt.Y("count:Q", title=texts("quality.expectations"), axis=axis(texts, "d", 4)),
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=list(labels.values()), range=list(kinds.values())),
                title=None,
                legend=alt.Legend(orient="top", labelLimit=160),
            ),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("audit:O", title=texts("quality.audit")),
                alt.Tooltip("when:N", title=texts("quality.audited")),
                alt.Tooltip("snapshot:N", title=texts("quality.snapshot")),
                alt.Tooltip("kind:N", title=" "),
                alt.Tooltip("count:Q", title=texts("quality.expectations")),
            ],
        )
    )
    return chart
