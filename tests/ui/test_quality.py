"""What the UI reads of audits, quarantine and drift."""

from collections import Counter
from pathlib import Path

import pytest

from contracts.errors import NothingPublished
from contracts.landing_id import short_name
from lake.settings import LakeSettings
from ui.language import texts_of
from ui.reading import quality
from ui.reading.pointer import publication
from ui.views.quality import PSI, VALUES, drift_multiples, reason_text


def test_audits_come_oldest_first_with_what_they_found(lake: LakeSettings) -> None:
    found = quality.audits(lake)
    assert [audit.is_passed for audit in found] == [True, False, True]
    assert [audit.passed for audit in found] == [12, 11, 11]


def test_the_last_failed_audit_names_its_rows(lake: LakeSettings) -> None:
    failed = quality.last_failed(lake, quality.audits(lake))
    assert failed is not None
    assert failed.number == 2
    (row,) = quality.failing_rows(failed)
    assert row["landing_id"] == failed.held[0]


def test_a_failed_audit_before_those_that_are_shown_is_found_too(lake: LakeSettings) -> None:
    failed = quality.last_failed(lake, quality.audits(lake)[2:])
    assert failed is not None
    assert failed.number == 2


def test_a_lake_that_was_never_audited_says_what_to_run(tmp_path: Path) -> None:
    nothing = LakeSettings(uri=str(tmp_path / "lake"), catalog=f"sqlite:{tmp_path}/catalog.sqlite")
    with pytest.raises(NothingPublished, match="canopy refine"):
        quality.audits(nothing)


def test_quarantined_rows_come_with_their_reasons_and_values(lake: LakeSettings) -> None:
    published = publication(lake)
    affected = quality.affected_landings(lake, published)
    assert affected == sorted(affected, reverse=True)
    rows = quality.quarantined_rows(lake, published, affected)
    assert sorted(Counter(row["landing_id"] for row in rows).items(), reverse=True) == [
        (landing_id, rows) for landing_id, rows in zip(affected, (1, 4), strict=True)
    ]
    assert len(rows) == published.quarantined == 5
    assert rows[0]["Slope"] == "110"
    assert {reason for row in rows for reason in row["reasons"]} == {
        *("missing:Slope", "out_of_range:Slope", "not_allowed:Soil_Type", "missing:Aspect")
    }


def test_drift_is_drawn_for_each_column_and_values_for_numbers_only(lake: LakeSettings) -> None:
    profiles, texts = quality.drift(lake, publication(lake)), texts_of("en")
    by_distance = drift_multiples(texts, profiles, PSI, 0.2)
    assert len(by_distance) == 13
    assert [item.title for item in by_distance if item.is_over] == ["Slope (°)"]
    assert len(drift_multiples(texts, profiles, VALUES, 0.2)) == 10
    assert not any(item.is_over for item in drift_multiples(texts, profiles, PSI, 0.0))


def test_a_reason_and_a_landing_are_said_in_words() -> None:
    assert reason_text(texts_of("es"), "out_of_range:Slope") == "fuera de rango: Pendiente (°)"
    assert reason_text(texts_of("en"), "held_back") == "landing held back"
    assert short_name("20261127T183128415008Z-7fb314a96cf4") == "2026-11-27 18:31:28 · 7fb314a9"
