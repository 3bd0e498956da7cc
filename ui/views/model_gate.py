"""What the gate said of a version, criterion by criterion, and what a random split would have said."""

from __future__ import annotations

from html import escape
from typing import Literal

import streamlit as st

from clients.mlflow import Version
from contracts.model_artefact import CHAMPION, Decision, Tag
from ui.charts.axes import show_chart
from ui.charts.class_charts import interval_chart
from ui.language import Texts
from ui.reading.scores import Criterion, Estimate, ScoreSheet, criteria, macro_f1_of

COLOURS: dict[str, Literal["green", "red", "orange"]] = {
    Decision.PROMOTED: "green",
    Decision.REFUSED: "red",
    Decision.AWAITING: "orange",
}
STYLE = """
<style>
.gate-frame ul.gate { list-style: none; margin: 0; padding: 0; display: grid; column-gap: 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
.gate-frame ul.gate li { margin: 0; padding: .45rem .1rem; display: grid;
  grid-template-columns: 1.4rem 1fr auto; column-gap: .35rem; align-content: start; font-size: .9rem;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.gate .figures { font-variant-numeric: tabular-nums; font-size: .85rem; text-align: right; }
.gate .says { grid-column: 2 / -1; font-size: .8rem; opacity: .85; }
.gate .mark { font-weight: 700; }
.gate .passed .mark { color: light-dark(#1f7a52, #4cc38a); }
.gate .failed .mark { color: light-dark(#b3261e, #ff8a80); }
</style>
"""


def show_gate(texts: Texts, version: Version, versions: list[Version]) -> None:
    """Shows the verdict and what it rests on; the champion of the time is the one compared with."""
    st.header(texts("models.gate"), help=texts("models.gate_help"))
    found = criteria(version)
    if not found:
        st.info(texts("models.no_gate"))
        return
    verdict = version.tags.get(Tag.VERDICT, "")
    st.badge(texts.get(f"verdict.{verdict}", verdict or "–"), color=COLOURS.get(verdict, "gray"))
    st.caption(_summary(texts, version, versions))
    st.html(gate_html(texts, found))


def gate_html(texts: Texts, found: list[Criterion]) -> str:
    """Returns a line for each criterion, those that did not hold first: value, threshold, the gate's own
    sentence."""
    lines = "".join(_line(texts, item) for item in sorted(found, key=lambda item: item.passed))
    return f'{STYLE}<div class="gate-frame"><ul class="gate">{lines}</ul></div>'


def show_leak(texts: Texts, version: Version, sheet: ScoreSheet | None) -> None:
    """Shows the honest figure beside the one that a random split of the same rows reports."""
    st.header(texts("models.leak"), help=texts("models.naive_help"))
    honest = macro_f1_of(version, texts("models.honest"))
    reported, random = version.score(Tag.NAIVE_MACRO_F1), sheet.random_split if sheet else None
    if honest is None or reported is None:
        st.info(texts("models.no_leak"))
        return
    measured = random.macro_f1 if random else Estimate("", reported)
    pair = [Estimate(texts("models.naive"), reported, measured.low, measured.high), honest]
    show_chart(interval_chart(texts, pair, texts("models.macro_f1")), "leak", texts("models.leak_chart"))
    st.markdown(texts("models.leak_says", excess=texts.number(reported - honest.value, 3)))
    if random:
        seen, tested = random.seen_rows, random.test_rows
        st.caption(
            texts("models.leak_seen", seen=seen, tested=tested, share=texts.percent(seen / max(tested, 1)))
        )


def _summary(texts: Texts, version: Version, versions: list[Version]) -> str:
    reason = version.tags.get(Tag.VERDICT_REASON, "")
    champion = next((item for item in versions if CHAMPION in item.aliases), None)
    if champion is None or champion.number == version.number:
        return reason
    score, own = champion.score(Tag.MACRO_F1), version.score(Tag.MACRO_F1)
    if score is None or own is None:
        return reason
    against = texts(
        "models.against",
        own=texts.number(own, 3),
        champion=str(champion.number),
        score=texts.number(score, 3),
    )
    return f"{reason} — {against}" if reason else against


def _line(texts: Texts, item: Criterion) -> str:
    state, mark = ("passed", "✓") if item.passed else ("failed", "✗")
    said = texts("models.held" if item.passed else "models.not_held")
    return (
        f'<li class="{state}"><span class="mark" role="img" aria-label="{escape(said)}">{mark}</span>'
        f"<span>{escape(_name(texts, item))}</span>"
        f'<span class="figures">{escape(_figures(texts, item))}</span>'
        f'<span class="says">{escape(item.says)}</span></li>'
    )


def _name(texts: Texts, item: Criterion) -> str:
    """Returns what it is about; the gate names a class or an area after these two beginnings."""
    for key, beginning in (("recall_of", "recall of "), ("macro_f1_in", "macro-F1 in ")):
        if item.name.startswith(beginning):
            return texts(f"criterion.{key}", name=texts.cover_type(item.name.removeprefix(beginning)))
    return texts.get(f"criterion.{item.name}", item.name.replace("_", " "))


def _figures(texts: Texts, item: Criterion) -> str:
    if item.value is None or item.threshold is None or item.value == item.threshold == 0:
        return ""
    value, threshold = (texts.number(number, 3) for number in (item.value, item.threshold))
    return texts("models.measured", value=value, threshold=threshold)
