"""The page of lineage: from a prediction to its model, the snapshot, the landings and a response's bytes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import streamlit as st

from clients.mlflow import Version
from contracts.covertype import covertype
from contracts.landing_id import MOMENT_PATTERN, short_name
from contracts.model_artefact import Tag
from lake.publish.pointer import Publication
from ui.language import Texts
from ui.reading import landings, predictions
from ui.reading.landings import PAGE, Landed
from ui.reading.pointer import publication
from ui.reading.predictions import Logged
from ui.reading.registry import open_registry
from ui.session import Session, session
from ui.views.absence import Unavailable, show_unavailable, try_read

REQUEST, VERSION, LANDING, BEFORE = "request", "version", "landing", "before"
ROWS_OF_RESPONSE = 5
# What a landing is called: when it was fetched, and its hash.
NAME = re.compile(MOMENT_PATTERN + r"-\w+")


@dataclass(frozen=True)
class Trail:
    """What is followed back.

    Attributes:
        request_id: Of a prediction; empty where a model or a landing is the start.
        version: Of the model; None where it is not known yet.
    """

    request_id: str
    version: int | None


def show_page(visit: Session) -> None:
    """Shows the whole page: each step leads to the next."""
    texts = visit.texts
    st.title(texts("lineage.title"))
    st.markdown(texts("lineage.intro"))
    published = try_read("lake", lambda: publication(visit.lake))
    trail = choose(visit, published)
    if isinstance(published, Unavailable):
        show_unavailable(texts, published)
    trail = show_prediction(visit, published, trail)
    version = show_version(visit, trail)
    if isinstance(published, Unavailable):
        return
    snapshot_id = show_snapshot(visit, published, version)
    show_landings(visit, snapshot_id)
    show_landing(visit, snapshot_id)


def choose(visit: Session, published: Publication | Unavailable) -> Trail:
    """Returns a request by its name, typed or picked from the newest ones; without one the champion is
    followed."""
    texts, named = visit.texts, st.query_params
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    request_id = left.text_input(
        texts("lineage.request"),
        value=named.get(REQUEST, ""),
        placeholder=texts("lineage.request_example"),
        help=texts("lineage.request_help"),
        key=f"request_{named.get(REQUEST, '')}",
    )
    newest: list[predictions.Asked] | Unavailable = []
    if not isinstance(published, Unavailable):
        at = published
        newest = try_read("lake", lambda: predictions.newest_requests(visit.lake, at))
    if isinstance(newest, list) and newest:
        names = {asked.request_id: _asked_name(texts, asked) for asked in newest}
        picked = right.selectbox(
            texts("lineage.newest"),
            list(names),
            index=None,
            format_func=names.__getitem__,
            placeholder=texts("lineage.pick"),
        )
        request_id = picked or request_id
    version = named.get(VERSION, "")
    return Trail((request_id or "").strip(), int(version) if version.isdigit() else None)


def show_prediction(visit: Session, published: Publication | Unavailable, trail: Trail) -> Trail:
    """Returns what was asked and answered, as the log has it."""
    texts = visit.texts
    found: list[Logged] | Unavailable = []
    if trail.request_id and not isinstance(published, Unavailable):
        at = published
        found = try_read("lake", lambda: predictions.logged(visit.lake, at, trail.request_id))
    with st.container(border=True):
        st.markdown(f"## 1 · {texts('lineage.prediction')}")
        if not trail.request_id:
            st.markdown(texts("lineage.no_request"))
            st.page_link("views/predict.py", label=texts("lineage.to_predict"), icon=":material/forest:")
            return trail
        st.caption(texts("lineage.request_is", request=trail.request_id))
        if isinstance(found, Unavailable):
            show_unavailable(texts, found)
        elif not found:
            said = texts("lineage.not_logged", days=predictions.LOOK_BACK[-1].days)
            st.info(said, icon=":material/hourglass_empty:")
        else:
            show_logged(texts, found)
            return Trail(trail.request_id, found[0].model_version)
    return trail


def show_logged(texts: Texts, rows: list[Logged]) -> None:
    """Shows the answers of one request."""
    first = rows[0]
    name = texts.cover_type(covertype().class_names[first.predicted])
    st.markdown(f"**{name}** · {texts('predict.sure', share=texts.percent(first.probability))}")
    st.caption(texts("lineage.asked", age=texts.age(first.predicted_at), rows=len(rows)))
    with st.expander(texts("lineage.cells")):
        shown = [
            {texts.column(column): row.features[column.name] for column in covertype().features}
            | {texts("predict.cover_type"): texts.cover_type(covertype().class_names[row.predicted])}
            for row in rows
        ]
        st.dataframe(shown, hide_index=True, alt=texts("lineage.cells"))


def show_version(visit: Session, trail: Trail) -> Version | None:
    """Returns the model version that answered, or the champion."""
    texts = visit.texts
    registry, number = open_registry(visit.ui), trail.version
    found = try_read("mlflow", lambda: registry.champion() if number is None else registry.version(number))
    with st.container(border=True):
        st.markdown(f"## 2 · {texts('lineage.model')}")
        if isinstance(found, Unavailable):
            show_unavailable(texts, found)
            return None
        st.markdown(
            texts(
                "lineage.version_is",
                version=str(found.number),
                score=texts.number(found.score(Tag.MACRO_F1), 3),
                age=texts.age(found.created_at),
            )
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            label = texts("lineage.to_model")
            st.page_link(
                "views/models.py",
                label=label,
                icon=":material/insights:",
                query_params={"version": str(found.number)},
            )
            address = f"{visit.ui.mlflow_page}/#/runs/{found.run_id}"
            st.link_button(texts("lineage.to_run"), address, icon=":material/science:", type="tertiary")
    return found


def show_snapshot(visit: Session, published: Publication, version: Version | None) -> int:
    """Returns the snapshot that the version learned from, as it was published; the pointer's where none is
    known."""
    texts = visit.texts
    tagged = version.tags.get(Tag.SNAPSHOT_ID, "") if version else ""
    snapshot_id = int(tagged) if tagged.isdigit() else published.snapshot_id
    found = try_read("lake", lambda: landings.publication_of(visit.lake, snapshot_id))
    with st.container(border=True):
        st.markdown(f"## 3 · {texts('lineage.snapshot')}")
        if isinstance(found, Unavailable):
            show_unavailable(texts, found)
            return snapshot_id
        st.markdown(
            texts(
                "lineage.snapshot_is",
                snapshot=str(snapshot_id),
                publication=str(found.publication_id),
                age=texts.age(found.published_at),
                rows=found.observations,
                landings=found.landings,
            )
        )
        st.caption(texts("lineage.audit", audit=found.audit))
        st.page_link("views/lake.py", label=texts("lineage.to_lake"), icon=":material/database:")
    return snapshot_id


def show_landings(visit: Session, snapshot_id: int) -> None:
    """Shows the snapshot's landings, newest first, a page at a time; each is a link."""
    texts, named = visit.texts, st.query_params
    before = named.get(BEFORE) if NAME.fullmatch(named.get(BEFORE, "")) else None
    found = try_read("lake", lambda: landings.landings_before(visit.lake, snapshot_id, before))
    with st.container(border=True):
        st.markdown(f"## 4 · {texts('lineage.landings')}")
        if isinstance(found, Unavailable):
            return show_unavailable(texts, found)
        kept = {name: named[name] for name in (REQUEST, VERSION) if name in named}
        with st.container(gap="xxsmall", key="landings"):
            for item in found:
                st.page_link(
                    "views/lineage.py",
                    label=_landing_name(texts, item),
                    query_params=kept | ({BEFORE: before} if before else {}) | {LANDING: item.landing_id},
                )
        with st.container(horizontal=True):
            if before:
                st.page_link("views/lineage.py", label=texts("lineage.newer"), query_params=kept)
            if len(found) == PAGE:
                older = kept | {BEFORE: found[-1].landing_id}
                st.page_link("views/lineage.py", label=texts("lineage.older"), query_params=older)
    return None


def show_landing(visit: Session, snapshot_id: int) -> None:
    """Shows one response: its counts, where it came from, and its bytes."""
    texts, landing_id = visit.texts, st.query_params.get(LANDING, "")
    with st.container(border=True):
        st.markdown(f"## 5 · {texts('lineage.response')}")
        if not landing_id:
            st.caption(texts("lineage.choose_landing"))
            return
        found = try_read("lake", lambda: landings.landing(visit.lake, snapshot_id, landing_id))
        if isinstance(found, Unavailable):
            show_unavailable(texts, found)
        elif found is None:
            st.warning(texts("lineage.no_landing", snapshot=str(snapshot_id)), icon=":material/search_off:")
        else:
            show_response(visit, found)


def show_response(visit: Session, found: Landed) -> None:
    """Shows what the source said, byte for byte, proven by its hash."""
    texts = visit.texts
    st.markdown(
        texts(
            "lineage.fetched",
            moment=f"{found.fetched_at:%Y-%m-%d %H:%M:%S}",
            group=str(found.group),
            batch="–" if found.batch is None else str(found.batch),
        )
    )
    places = st.columns(4)
    for place, key in zip(places, ("landed", "accepted", "quarantined", "new"), strict=True):
        place.metric(texts(f"lineage.{key}_rows"), texts.number(getattr(found, f"{key}_rows")), border=True)
    raw = try_read("lake", lambda: landings.raw_response(visit.lake, found.raw_key))
    if isinstance(raw, Unavailable):
        return show_unavailable(texts, raw)
    body, kept = raw
    st.caption(texts("lineage.proof", bytes=len(body), digest=kept.sha256, url=kept.provenance.url))
    name = f"{found.landing_id[:20]}.json"
    st.download_button(
        texts("lineage.take", name=name), body, name, "application/json", icon=":material/download:"
    )
    with st.expander(texts("lineage.first_rows", rows=ROWS_OF_RESPONSE)):
        st.code(_beginning(body), language="json")
    return None


def _beginning(body: bytes) -> str:
    """Returns the response with its first rows only, as JSON; its first bytes where it is none."""
    try:
        document = json.loads(body)
    except ValueError:
        return body[:600].decode("utf-8", "replace")
    rows = document.get("data") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        return json.dumps(document, ensure_ascii=False)[:2000]
    lines = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows[:ROWS_OF_RESPONSE])
    return f"[\n  {lines},\n  …\n]"


def _landing_name(texts: Texts, item: Landed) -> str:
    batch = "–" if item.batch is None else str(item.batch)
    return texts(
        "lineage.landing_is",
        landing=short_name(item.landing_id),
        batch=batch,
        rows=item.landed_rows,
        new=item.new_rows,
    )


def _asked_name(texts: Texts, asked: predictions.Asked) -> str:
    return f"{asked.request_id[:8]} · {texts.age(asked.predicted_at)} · {texts.number(asked.rows)}"


if __name__ == "__main__":
    show_page(session())
