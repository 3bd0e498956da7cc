"""The page of quality: what the gate said, what is kept apart and why, and how far landings drift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import streamlit as st

from contracts.covertype import covertype
from contracts.landing_id import short_name
from lake.publish.pointer import Publication
from ui.charts.axes import show_chart
from ui.charts.quality_charts import Multiple, audit_chart, multiples_chart
from ui.language import Texts
from ui.reading import quality
from ui.reading.pointer import publication
from ui.reading.quality import Audit, Profile
from ui.session import Session, session
from ui.views.absence import Unavailable, show_unavailable, try_read
from ui.views.download import csv_of

PSI, VALUES = "psi", "values"
# Where the axis ends at least: above what is usual.
PSI_TOP = 0.3


def show_page(visit: Session) -> None:
    """Shows the whole page."""
    texts = visit.texts
    st.title(texts("quality.title"))
    st.markdown(texts("quality.intro"))
    audits = try_read("lake", lambda: quality.audits(visit.lake))
    published = try_read("lake", lambda: publication(visit.lake))
    if isinstance(audits, Unavailable):
        show_unavailable(texts, audits)
    else:
        show_gates(visit, audits)
    if not isinstance(published, Unavailable):
        show_quarantine(visit, published)
        show_drift(visit, published)
    elif not isinstance(audits, Unavailable) or audits.part != published.part:
        show_unavailable(texts, published)


def show_gates(visit: Session, audits: Sequence[Audit]) -> None:
    """Shows what each audit said, then what the last failed one named."""
    texts = visit.texts
    st.header(texts("quality.gates"), help=texts("quality.gates_help"))
    if not audits:
        st.info(texts("quality.no_audits"))
        return
    newest = audits[-1]
    places = st.columns(4)
    passed = sum(audit.is_passed for audit in audits)
    places[0].metric(
        texts("quality.last_audit"), _verdict(texts, newest), border=True, help=_when(texts, newest)
    )
    places[1].metric(texts("quality.passed_share"), f"{passed} / {len(audits)}", border=True)
    places[2].metric(texts("quality.expectations"), texts.number(newest.expectations), border=True)
    places[3].metric(texts("quality.took"), texts.duration(newest.seconds), border=True)
    show_chart(audit_chart(texts, audits), "audits", texts("quality.audits_chart"))
    show_failed(visit, audits)
    address = quality.audit_docs(visit.ui)
    if address:
        st.link_button(texts("link.audits"), address, icon=":material/fact_check:", type="tertiary")
    with st.expander(texts("quality.audits_table")):
        listed = [_audit_row(texts, audit) for audit in reversed(audits)]
        st.dataframe(listed, hide_index=True, alt=texts("quality.audits_table"))


def show_failed(visit: Session, audits: Sequence[Audit]) -> None:
    """Shows the last audit that failed: its findings and the rows that they name."""
    texts = visit.texts
    failed = try_read("lake", lambda: quality.last_failed(visit.lake, audits))
    if isinstance(failed, Unavailable):
        return show_unavailable(texts, failed)
    if failed is None:
        st.success(texts("quality.none_failed"), icon=":material/verified:")
        return None
    with st.container(border=True):
        st.markdown(
            f"**{texts('quality.failed', audit=str(failed.number), age=texts.age(failed.audited_at))}**"
        )
        st.markdown("\n".join(f"- `{finding.replace('`', '')}`" for finding in failed.failures))
        rows = quality.failing_rows(failed)
        if rows:
            st.markdown(texts("quality.failing_rows"))
            st.dataframe(rows, hide_index=True, alt=texts("quality.failing_rows"))
        for landing_id in failed.held[:3]:
            label = texts("quality.held", landing=short_name(landing_id))
            st.page_link("views/lineage.py", label=label, query_params={"landing": landing_id})
    return None


def show_quarantine(visit: Session, published: Publication) -> None:
    """Shows rows that are kept apart: how many, why, and which."""
    texts = visit.texts
    st.header(texts("quality.quarantine"), help=texts("quality.quarantine_help"))
    if not published.quarantined:
        st.success(texts("quality.nothing_kept_apart"), icon=":material/verified:")
        return
    st.markdown(texts("quality.kept_apart", rows=published.quarantined, accepted=published.observations))
    affected = try_read("lake", lambda: quality.affected_landings(visit.lake, published))
    if isinstance(affected, Unavailable):
        show_unavailable(texts, affected)
        return
    rows = try_read("lake", lambda: quality.quarantined_rows(visit.lake, published, affected))
    if isinstance(rows, Unavailable):
        show_unavailable(texts, rows)
        return
    show_reasons(visit, rows)


def show_reasons(visit: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Shows the rows by reason, to filter and to take along."""
    texts = visit.texts
    counts = Counter(reason for row in rows for reason in row["reasons"])
    names = {
        reason: f"{reason_text(texts, reason)} ({texts.number(count)})"
        for reason, count in counts.most_common()
    }
    left, right = st.columns(2)
    chosen = left.multiselect(
        texts("quality.reasons"),
        list(names),
        format_func=names.__getitem__,
        placeholder=texts("quality.all_reasons"),
    )
    landings = list(dict.fromkeys(row["landing_id"] for row in rows))
    landing = right.selectbox(
        texts("quality.landing"),
        landings,
        index=None,
        format_func=short_name,
        placeholder=texts("quality.all_landings"),
    )
    kept = [
        row
        for row in rows
        if (not chosen or set(chosen) & set(row["reasons"])) and landing in (None, row["landing_id"])
    ]
    shown = [_quarantine_row(texts, row) for row in kept]
    st.dataframe(shown, hide_index=True, height=320, alt=texts("quality.quarantine"))
    st.caption(texts("quality.shown", rows=len(kept), most=quality.ROWS_SHOWN))
    st.download_button(
        texts("quality.download"), csv_of(shown), "quarantine.csv", "text/csv", icon=":material/download:"
    )


def show_drift(visit: Session, published: Publication) -> None:
    """Shows each feature over the newest landings."""
    texts = visit.texts
    st.header(
        texts("quality.drift"),
        help=texts("quality.drift_help", limit=texts.number(visit.ui.drift_psi_warning, 2)),
    )
    profiles = try_read("lake", lambda: quality.drift(visit.lake, published))
    if isinstance(profiles, Unavailable):
        return show_unavailable(texts, profiles)
    if not profiles:
        st.info(texts("quality.no_drift"))
        return None
    kinds = {PSI: texts("quality.by_psi"), VALUES: texts("quality.by_values")}
    kind = st.segmented_control(
        texts("quality.show"),
        list(kinds),
        default=PSI,
        required=True,
        format_func=kinds.__getitem__,
        key="drift_kind",
    )
    st.caption(texts(f"quality.{kind}_note"))
    multiples = drift_multiples(texts, profiles, kind or PSI, visit.ui.drift_psi_warning)
    values = [value for item in multiples for value in item.values if value is not None]
    shared = max([PSI_TOP, *values]) if kind == PSI else None
    chart = multiples_chart(texts, multiples, shared=shared)
    show_chart(chart, "multiples", texts("quality.drift"))
    return None


def drift_multiples(texts: Texts, profiles: Sequence[Profile], kind: str, limit: float) -> list[Multiple]:
    """Returns a little chart for each column, in the contract's order; names have no values to draw."""
    found = []
    for column in covertype().columns:
        own = [profile for profile in profiles if profile.feature == column.name]
        title = texts("predict.cover_type") if column.is_label else texts.column(column)
        if kind == PSI:
            psi = [profile.psi for profile in own]
            now = texts.number(psi[-1] if psi else None, 2)
            found.append(Multiple(title, now, psi, limit=limit or None))
        elif own and own[-1].middle is not None and not column.is_label:
            middle = [profile.middle for profile in own]
            low, high = [profile.low for profile in own], [profile.high for profile in own]
            found.append(Multiple(title, texts.number(own[-1].middle), middle, low, high))
    return found


def reason_text(texts: Texts, reason: str) -> str:
    """Returns a reason such as `out_of_range:Slope` in words."""
    kind, _, name = reason.partition(":")
    words = texts.get(f"reason.{kind}", kind)
    if not name:
        return words
    column = covertype().column(name)
    return f"{words}: {texts('predict.cover_type') if column.is_label else texts.column(column)}"


def _verdict(texts: Texts, audit: Audit) -> str:
    return texts("quality.passed_word" if audit.is_passed else "quality.failed_word")


def _when(texts: Texts, audit: Audit) -> str:
    return texts("quality.when", age=texts.age(audit.audited_at), snapshot=str(audit.snapshot_id))


def _audit_row(texts: Texts, audit: Audit) -> dict[str, object]:
    return {
        texts("quality.audit"): audit.number,
        texts("quality.audited"): f"{audit.audited_at:%Y-%m-%d %H:%M:%S}",
        texts("quality.verdict"): _verdict(texts, audit),
        texts("quality.snapshot"): str(audit.snapshot_id),
        texts("quality.landings"): audit.landings,
        texts("quality.failures"): "; ".join(audit.failures),
        texts("quality.warnings"): "; ".join(audit.warnings),
    }


def _quarantine_row(texts: Texts, row: dict[str, Any]) -> dict[str, object]:
    plain = {
        texts("quality.fetched"): f"{row['fetched_at']:%Y-%m-%d %H:%M:%S}",
        texts("batch.batch"): row["batch_number"],
        texts("quality.position"): row["position"],
        texts("quality.reasons"): ", ".join(reason_text(texts, reason) for reason in row["reasons"]),
    }
    return plain | {column.source_name: row[column.source_name] for column in covertype().columns}


if __name__ == "__main__":
    show_page(session())
