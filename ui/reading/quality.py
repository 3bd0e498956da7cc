"""What audits said, what is kept apart, and how far each landing is from what was published."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import streamlit as st

from clients.calls import ask
from contracts.errors import NothingPublished, ServiceUnavailable
from lake.publish.pointer import Publication
from lake.settings import LakeSettings
from ui.reading.pointer import KEY, has_newest, read, read_newest, read_since
from ui.settings import TIMEOUT_S, UiSettings

AUDITS_SHOWN = 60
LANDINGS_SHOWN = 50
ROWS_SHOWN = 1_000
DRIFT_LANDINGS, FEATURES = 40, 13
HISTORY, PROFILES = "gold.quality_history", "gold.batch_profiles"

# An audit's list of landings may be as long as the collection: its length is enough here.
AUDIT = """
select
    audit_id as number, snapshot_id, audited_at, seconds, is_passed, expectations, failures, warnings,
    len(landings) as landings, held
from published.audits
"""
AUDITS = AUDIT + "where audit_id > (select max(audit_id) from published.audits) - ? order by audit_id"  # noqa: S608
FAILED = AUDIT + "where not is_passed order by audit_id desc limit 1"
AFFECTED = """
select landing_id
from gold.quality_history
where fetched_at >= ? and quarantined_rows > 0
order by fetched_at desc
limit ?
"""
QUARANTINE = """
select landing_id, fetched_at, group_number, batch_number, position, reasons, unnest(source_values)
from silver.quarantine
where landing_id = any(?)
order by fetched_at desc, position
limit ?
"""
DRIFT = """
select landing_id, fetched_at, feature, psi, quantile_05 as low, quantile_50 as middle, quantile_95 as high
from gold.batch_profiles
where fetched_at >= ?
order by fetched_at desc, landing_id desc
limit ?
"""
DOCS = "The docs site"
EXAMPLE = re.compile(r"(?P<key>landing_id|row_id)=(?P<value>\S+?)(?=[;,\s)]|$)")


@dataclass(frozen=True)
class Audit:
    """One audit, published or not.

    Attributes:
        landings: How many were judged as a whole.
        held: Those of them that were held back.
    """

    number: int
    snapshot_id: int
    audited_at: datetime
    seconds: float
    is_passed: bool
    expectations: int
    failures: Sequence[str]
    warnings: Sequence[str]
    landings: int
    held: Sequence[str]

    @property
    def passed(self) -> int:
        """Returns how many expectations held."""
        return self.expectations - len(self.failures) - len(self.warnings)


@dataclass(frozen=True)
class Profile:
    """One column of one landing; figures are None for names, and where nothing was published before."""

    landing_id: str
    fetched_at: datetime
    feature: str
    psi: float | None
    low: float | None
    middle: float | None
    high: float | None


def audits(settings: LakeSettings) -> list[Audit]:
    """Returns the last audits, oldest first. Raises: NothingPublished while nothing was audited."""
    return _audits(settings, AUDITS, [AUDITS_SHOWN])


def last_failed(settings: LakeSettings, known: Sequence[Audit]) -> Audit | None:
    """Returns the newest audit that failed, be it among those that are known already or before them."""
    failed = [audit for audit in known if not audit.is_passed]
    if failed or (known and known[0].number == 1):
        return failed[-1] if failed else None
    return next(iter(_audits(settings, FAILED, [])), None)


def failing_rows(audit: Audit) -> list[dict[str, str]]:
    """Returns each row or landing that the findings of an audit name, with the finding."""
    return [
        {"finding": finding, match["key"]: match["value"]}
        for finding in audit.failures
        for match in EXAMPLE.finditer(finding)
    ]


@st.cache_data(max_entries=4, show_spinner=False, hash_funcs=KEY)
def affected_landings(settings: LakeSettings, published: Publication) -> list[str]:
    """Returns the newest landings with rows in quarantine, newest first."""
    if not published.quarantined:
        return []
    snapshot_id, where = published.snapshot_id, "quarantined_rows > 0"
    rows = read_since(settings, snapshot_id, HISTORY, LANDINGS_SHOWN, AFFECTED, where)
    return [row["landing_id"] for row in rows]


@st.cache_data(max_entries=4, show_spinner=False, hash_funcs=KEY)
def quarantined_rows(
    settings: LakeSettings, published: Publication, landing_ids: Sequence[str]
) -> list[dict[str, Any]]:
    """Returns rows of these landings as the source wrote them, with their reasons; the newest ROWS_SHOWN."""
    return read(settings, published.snapshot_id, QUARANTINE, [list(landing_ids), ROWS_SHOWN])


@st.cache_data(max_entries=4, show_spinner=False, hash_funcs=KEY)
def drift(settings: LakeSettings, published: Publication) -> list[Profile]:
    """Returns each column of the newest landings, oldest first."""
    rows = read_since(settings, published.snapshot_id, PROFILES, DRIFT_LANDINGS * FEATURES, DRIFT)
    return [Profile(**row) for row in reversed(rows)]


@st.cache_data(ttl=60, show_spinner=False, hash_funcs={UiSettings: repr})
def audit_docs(settings: UiSettings) -> str | None:
    """Returns where Great Expectations' Data Docs are; None without any, or where the site is unavailable."""
    address = f"{settings.docs_url}/audits/"
    try:
        return address if ask(DOCS, "HEAD", address, timeout_s=TIMEOUT_S).is_success else None
    except ServiceUnavailable:
        return None


def _audits(settings: LakeSettings, query: str, parameters: Sequence[Any]) -> list[Audit]:
    if not has_newest(settings, "published.audits"):  # a lake that was never audited
        raise NothingPublished
    return [Audit(**row) for row in read_newest(settings, query, parameters)]
