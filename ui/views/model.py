"""The page of the model: how good the champion is, how sure that is, and what came before it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from contracts.covertype import covertype
from ui import registry
from ui.absence import Away, attempt, show_away
from ui.charts import Estimate, interval_chart
from ui.language import Texts
from ui.registry import Version
from ui.session import Session, session

CONFUSION = "confusion_matrix.png"


def show_page(visit: Session) -> None:
    """The whole page."""
    texts = visit.texts
    st.title(texts("model.title"))
    st.markdown(texts("model.intro"))
    found = attempt("mlflow", lambda: registry.versions(visit.ui))
    if isinstance(found, Away):
        return show_away(texts, found)
    champion = attempt("mlflow", lambda: registry.champion(visit.ui))
    if isinstance(champion, Away):
        show_away(texts, champion)
    else:
        show_champion(visit, champion)
    show_versions(visit, found)
    return None


def show_champion(visit: Session, champion: Version) -> None:
    """The champion's scores, class by class."""
    texts = visit.texts
    st.subheader(texts("model.champion", version=str(champion.number)))
    st.caption(" · ".join(_origin(texts, champion)))
    show_scores(texts, champion)
    if "notes" in champion.tags:
        st.warning(champion.tags["notes"], icon=":material/info:")
    metrics = attempt("mlflow", lambda: registry.run_metrics(visit.ui, champion.run_id))
    if isinstance(metrics, Away):
        return show_away(texts, metrics)
    left, right = st.columns(2, gap="large")
    with left:
        show_recalls(texts, metrics)
    with right:
        show_confusion(visit, champion)
    return None


def show_scores(texts: Texts, champion: Version) -> None:
    """Macro-F1 with its interval, then accuracy, which decides nothing."""
    low, high = champion.score("macro_f1_low"), champion.score("macro_f1_high")
    interval = texts("model.interval", low=_score(texts, low), high=_score(texts, high))
    rows = champion.score("test_rows")
    held_out = "–" if rows is None else texts.number(rows)
    first, second, third, fourth = st.columns(4)
    _figure(first, texts, "macro_f1", _score(texts, champion.score("macro_f1")), interval)
    _figure(second, texts, "naive", _score(texts, champion.score("naive_macro_f1")))
    _figure(third, texts, "accuracy", _score(texts, champion.score("accuracy")))
    _figure(fourth, texts, "test_rows", held_out)


def show_recalls(texts: Texts, metrics: Mapping[str, float]) -> None:
    """Recall by cover type, with intervals where the run has them."""
    st.subheader(texts("model.recall"), help=texts("model.recall_help"))
    estimates = class_recalls(texts, metrics)
    if not estimates:
        st.info(texts("model.no_recall"))
        return
    chart = interval_chart(texts, estimates, texts("model.recall_axis"))
    st.altair_chart(chart, key="recalls", alt=texts("model.chart_recall"))


def show_confusion(visit: Session, champion: Version) -> None:
    """The picture that training logged."""
    texts = visit.texts
    st.subheader(texts("model.confusion"))
    image = attempt("mlflow", lambda: registry.picture(visit.ui, champion.run_id, CONFUSION))
    if isinstance(image, Away):
        show_away(texts, image)
    elif image is None:
        st.info(texts("model.confusion_missing"))
    else:
        st.image(image, width="stretch", alt=texts("model.confusion_alt"))


def show_versions(visit: Session, versions: list[Version]) -> None:
    """All versions: their scores side by side, and the table."""
    texts = visit.texts
    st.subheader(texts("model.by_version"), help=texts("model.by_version_help"))
    estimates = [_estimate(version) for version in versions[:12]]
    shown = [estimate for estimate in estimates if estimate]
    if shown:
        chart = interval_chart(texts, shown, texts("model.macro_f1"))
        st.altair_chart(chart, key="versions", alt=texts("model.chart_versions"))
    st.subheader(texts("model.versions"))
    st.dataframe(
        [_table_row(visit, version) for version in versions],
        hide_index=True,
        alt=texts("model.versions"),
        column_config={
            "MLflow": st.column_config.LinkColumn(display_text=":material/open_in_new:"),
            texts("model.aliases"): st.column_config.ListColumn(),
            texts("model.train_rows"): st.column_config.NumberColumn(format="localized"),
        },
    )


def class_recalls(texts: Texts, metrics: Mapping[str, float]) -> list[Estimate]:
    """The recalls among a run's metrics, such as `recall_spruce_fir`, in the contract's order of classes."""
    keys = {name: "recall_" + re.sub("[^a-z0-9]", "_", name.lower()) for name in covertype().class_names}
    return [
        Estimate(texts.cover_type(name), metrics[key], metrics.get(f"{key}_low"), metrics.get(f"{key}_high"))
        for name, key in keys.items()
        if key in metrics
    ]


def _figure(place: DeltaGenerator, texts: Texts, key: str, value: str, note: str | None = None) -> None:
    place.metric(
        texts(f"model.{key}"),
        value,
        note or texts(f"model.{key}_note"),
        delta_color="off",
        delta_arrow="off",
        border=True,
        help=texts(f"model.{key}_help"),
    )


def _origin(texts: Texts, version: Version) -> list[str]:
    tags, rows = version.tags, version.score("train_rows")
    parts = [texts("model.registered", age=texts.age(version.created_at))]
    if rows is not None and "snapshot_id" in tags:
        parts.append(texts("model.trained_on", rows=int(rows), snapshot=tags["snapshot_id"]))
    if "contract_version" in tags:
        parts.append(texts("model.contract", version=tags["contract_version"]))
    if "code_revision" in tags:
        parts.append(texts("model.code", revision=tags["code_revision"][:10]))
    return parts


def _estimate(version: Version) -> Estimate | None:
    score = version.score("macro_f1")
    if score is None:
        return None
    name = f"{version.number} {' '.join(version.aliases)}".strip()
    return Estimate(name, score, version.score("macro_f1_low"), version.score("macro_f1_high"))


def _table_row(visit: Session, version: Version) -> dict[str, object]:
    texts = visit.texts
    return {
        texts("model.version"): str(version.number),
        texts("model.aliases"): list(version.aliases),
        texts("model.macro_f1"): _score(texts, version.score("macro_f1")),
        texts("model.low"): _score(texts, version.score("macro_f1_low")),
        texts("model.high"): _score(texts, version.score("macro_f1_high")),
        texts("model.accuracy"): _score(texts, version.score("accuracy")),
        texts("model.train_rows"): version.score("train_rows"),
        texts("model.snapshot"): version.tags.get("snapshot_id", "–"),
        texts("model.verdict"): version.tags.get("verdict_reason", "–"),
        texts("model.created"): f"{version.created_at:%Y-%m-%d %H:%M}",
        "MLflow": f"{visit.ui.mlflow_url}/#/runs/{version.run_id}",
    }


def _score(texts: Texts, value: float | None) -> str:
    return "–" if value is None else texts.number(value, 3)


if __name__ == "__main__":
    show_page(session())
