"""The page of models: how good a version is, how sure that is, what the gate said, and what came before."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from clients.mlflow import Version
from contracts.model_artefact import CARD_PAGE, CHAMPION, Tag
from ui.charts.axes import show_chart
from ui.charts.class_charts import interval_chart
from ui.charts.confusion import confusion_html
from ui.charts.model_charts import calibration_chart, show_live
from ui.language import Texts
from ui.reading import gold, scores
from ui.reading.pointer import publication
from ui.reading.registry import artefact, open_registry
from ui.reading.scores import Estimate, ScoreSheet
from ui.session import Session, session
from ui.views.absence import Unavailable, show_unavailable, try_read
from ui.views.model_gate import show_gate, show_leak

VERSION = "version"
VERSIONS_SHOWN = 50


def show_page(visit: Session) -> None:
    """Shows the whole page."""
    texts = visit.texts
    st.title(texts("models.title"))
    st.markdown(texts("models.intro"))
    found = try_read("mlflow", lambda: open_registry(visit.ui).versions(VERSIONS_SHOWN))
    if isinstance(found, Unavailable):
        show_unavailable(texts, found)
        return show_live_scores(visit)
    chosen = choose_version(texts, found)
    if not show_version(visit, chosen, found):
        show_live_scores(visit)
    show_versions(visit, found)
    show_card(visit, chosen)
    return None


def choose_version(texts: Texts, versions: list[Version]) -> Version:
    """Returns the champion at first, or the one that the address names."""
    champion = next((item for item in versions if CHAMPION in item.aliases), versions[0])
    named = st.query_params.get(VERSION, "")
    first = next((item for item in versions if str(item.number) == named), champion)
    names = {item.number: _version_name(texts, item) for item in versions}
    number = st.selectbox(
        texts("models.version"),
        list(names),
        index=list(names).index(first.number),
        format_func=names.__getitem__,
        key="chosen_version",
    )
    return next(item for item in versions if item.number == number)


def show_version(visit: Session, version: Version, versions: list[Version]) -> bool:
    """Shows one version from its score down to what it hangs on; returns whether all of it is there."""
    texts = visit.texts
    st.caption(" · ".join(_origin(texts, version)))
    sheet = try_read("mlflow", lambda: scores.score_sheet(visit.ui, version))
    show_scores(texts, version, None if isinstance(sheet, Unavailable) else sheet)
    if Tag.NOTES in version.tags:
        st.warning(version.tags[Tag.NOTES], icon=":material/info:")
    show_gate(texts, version, versions)
    left, right = st.columns(2, gap="large")
    with left:
        show_leak(texts, version, None if isinstance(sheet, Unavailable) else sheet)
    if isinstance(sheet, ScoreSheet):
        with right:
            show_baselines(texts, version, sheet)
    if isinstance(sheet, Unavailable):
        show_unavailable(texts, sheet)
    elif sheet is None:
        st.info(texts("models.no_sheet"))
    else:
        show_classes(texts, sheet)
        show_trust(visit, version, sheet)
        return True
    return False


def show_scores(texts: Texts, version: Version, sheet: ScoreSheet | None) -> None:
    """Shows macro-F1 with its interval, then what is shown and decides nothing."""

    def number(tag: str) -> str:
        return texts.number(version.score(tag), 3)

    interval = texts("models.interval", low=number(Tag.MACRO_F1_LOW), high=number(Tag.MACRO_F1_HIGH))
    wide = texts("models.interval", low=number("accuracy_low"), high=number("accuracy_high"))
    around = None if version.score("accuracy_low") is None else wide
    places = st.columns(4)
    _figure(places[0], texts, "macro_f1", number(Tag.MACRO_F1), interval)
    _figure(places[1], texts, "accuracy", number(Tag.ACCURACY), around)
    _figure(places[2], texts, "calibration_error", texts.number(sheet.error if sheet else None, 3))
    _figure(places[3], texts, "test_rows", texts.number(version.score(Tag.TEST_ROWS)))


def show_classes(texts: Texts, sheet: ScoreSheet) -> None:
    """Shows recall by cover type beside the confusion matrix."""
    left, right = st.columns(2, gap="large")
    with left:
        st.header(texts("models.recall"), help=texts("models.recall_help"))
        recalls = [_named(texts, item, sheet) for item in sheet.recalls]
        if recalls:
            chart = interval_chart(texts, recalls, texts("models.recall_axis"))
            show_chart(chart, "recalls", texts("models.recall_chart"))
        else:
            st.info(texts("models.no_recall"))
    with right:
        st.header(texts("models.confusion"), help=texts("models.confusion_help"))
        st.html(confusion_html(texts, sheet.confusion))


def show_trust(visit: Session, version: Version, sheet: ScoreSheet) -> None:
    """Shows calibration beside what the answers hang on, then areas beside live accuracy."""
    texts = visit.texts
    left, right = st.columns(2, gap="large")
    with left:
        st.header(texts("models.calibration"), help=texts("models.calibration_help"))
        chart = calibration_chart(texts, sheet.bins)
        show_chart(chart, "calibration", texts("models.calibration_chart"))
    with right:
        show_importance(visit, version)
    left, right = st.columns(2, gap="large")
    with left:
        st.header(texts("models.areas"), help=texts("models.areas_help"))
        areas = interval_chart(texts, sheet.areas, texts("models.macro_f1"))
        show_chart(areas, "areas", texts("models.areas_chart"))
    with right:
        show_live_scores(visit)


def show_baselines(texts: Texts, version: Version, sheet: ScoreSheet) -> None:
    """Shows what the version has to beat, on the same rows."""
    st.header(texts("models.baselines"), help=texts("models.baselines_help"))
    name = texts("models.this_version")
    own = scores.macro_f1_of(version, name) or Estimate(name, 0.0)
    others = [
        Estimate(_baseline(texts, item.name), item.value, item.low, item.high) for item in sheet.baselines
    ]
    chart = interval_chart(texts, [own, *others], texts("models.macro_f1"), (0.0, 1.0))
    show_chart(chart, "baselines", texts("models.baselines_chart"))


def show_importance(visit: Session, version: Version) -> None:
    """Shows what is lost when a column is shuffled."""
    texts = visit.texts
    st.header(texts("models.importance"), help=texts("models.importance_help"))
    found = try_read("mlflow", lambda: scores.importances(visit.ui, version))
    if isinstance(found, Unavailable):
        return show_unavailable(texts, found)
    if not found:
        st.info(texts("models.no_importance"))
        return None
    named = [Estimate(texts(f"column.{item.name}"), item.value, item.low, item.high) for item in found]
    top = max(0.1, *(item.high or 0.0 for item in named))
    bottom = min(0.0, *(item.low or 0.0 for item in named))
    chart = interval_chart(texts, named, texts("models.importance_axis"), (bottom - 0.01, top + 0.02))
    show_chart(chart, "importance", texts("models.importance_chart"))
    return None


def show_live_scores(visit: Session) -> None:
    """Shows accuracy on each landing, or why it cannot be read."""
    found = try_read("lake", lambda: gold.live_scores(visit.lake, publication(visit.lake)))
    if isinstance(found, Unavailable):
        st.header(visit.texts("models.live"), help=visit.texts("models.live_help"))
        show_unavailable(visit.texts, found)
    else:
        show_live(visit.texts, found)


def show_versions(visit: Session, versions: list[Version]) -> None:
    """Shows all versions: their scores side by side, and the table."""
    texts = visit.texts
    st.header(texts("models.by_version"), help=texts("models.by_version_help"))
    named = [(version, f"{version.number} {' '.join(version.aliases)}".strip()) for version in versions[:12]]
    shown = [estimate for estimate in (scores.macro_f1_of(*one) for one in named) if estimate]
    if shown:
        chart = interval_chart(texts, shown, texts("models.macro_f1"))
        show_chart(chart, "versions", texts("models.versions_chart"))
    st.dataframe(
        [_table_row(visit, version) for version in versions],
        hide_index=True,
        alt=texts("models.versions"),
        column_config={
            "MLflow": st.column_config.LinkColumn(display_text=":material/open_in_new:"),
            texts("models.aliases"): st.column_config.ListColumn(),
            texts("models.train_rows"): st.column_config.NumberColumn(format="localized"),
        },
    )


def show_card(visit: Session, version: Version) -> None:
    """Shows what training wrote about it for people, to read and to take along."""
    texts = visit.texts
    st.header(texts("models.card"), help=texts("models.card_help"))
    text = try_read("mlflow", lambda: scores.card(visit.ui, version))
    if isinstance(text, Unavailable):
        return show_unavailable(texts, text)
    if text is None:
        st.info(texts("models.no_card"))
        return None
    with st.expander(texts("models.read_card")):
        st.markdown(text)
    page = try_read("mlflow", lambda: artefact(visit.ui, version.run_id, CARD_PAGE))
    if isinstance(page, bytes):
        name = f"model-card-{version.number}.html"
        st.download_button(texts("models.take_card"), page, name, "text/html", icon=":material/download:")
    return None


def _figure(place: DeltaGenerator, texts: Texts, key: str, value: str, note: str | None = None) -> None:
    place.metric(
        texts(f"models.{key}"),
        value,
        note or texts(f"models.{key}_note"),
        delta_color="off",
        delta_arrow="off",
        border=True,
        help=texts(f"models.{key}_help"),
    )


def _origin(texts: Texts, version: Version) -> list[str]:
    tags, rows = version.tags, version.score(Tag.TRAIN_ROWS)
    parts = [texts("models.registered", age=texts.age(version.created_at))]
    if rows is not None and Tag.SNAPSHOT_ID in tags:
        parts.append(texts("models.trained_on", rows=int(rows), snapshot=tags[Tag.SNAPSHOT_ID]))
    if Tag.CANDIDATE in tags:
        parts.append(tags[Tag.CANDIDATE].replace("_", " "))
    if Tag.CONTRACT_VERSION in tags:
        parts.append(texts("models.contract", version=tags[Tag.CONTRACT_VERSION]))
    if Tag.CODE_REVISION in tags:
        parts.append(texts("models.code", revision=tags[Tag.CODE_REVISION][:10]))
    return parts


def _version_name(texts: Texts, version: Version) -> str:
    name = texts("models.version_short", version=str(version.number))
    score = version.score(Tag.MACRO_F1)
    parts = [name, *version.aliases, *([] if score is None else [texts.number(score, 3)])]
    return " · ".join(parts)


def _named(texts: Texts, item: Estimate, sheet: ScoreSheet) -> Estimate:
    rows = texts.number(sheet.class_rows.get(item.name, 0))
    return Estimate(f"{texts.cover_type(item.name)} ({rows})", item.value, item.low, item.high)


def _baseline(texts: Texts, name: str) -> str:
    return texts.get(f"baseline.{name}", name.replace("_", " "))


def _table_row(visit: Session, version: Version) -> dict[str, object]:
    texts, score = visit.texts, version.score
    return {
        texts("models.version"): str(version.number),
        texts("models.aliases"): list(version.aliases),
        texts("models.macro_f1"): texts.number(score(Tag.MACRO_F1), 3),
        texts("models.low"): texts.number(score(Tag.MACRO_F1_LOW), 3),
        texts("models.high"): texts.number(score(Tag.MACRO_F1_HIGH), 3),
        texts("models.accuracy"): texts.number(score(Tag.ACCURACY), 3),
        texts("models.train_rows"): score(Tag.TRAIN_ROWS),
        texts("models.snapshot"): version.tags.get(Tag.SNAPSHOT_ID, "–"),
        texts("models.verdict"): version.tags.get(Tag.VERDICT_REASON, "–"),
        texts("models.created"): f"{version.created_at:%Y-%m-%d %H:%M}",
        "MLflow": f"{visit.ui.mlflow_page}/#/runs/{version.run_id}",
    }


if __name__ == "__main__":
    show_page(session())
