"""What passes is published; what does not is named, and changes nothing for anybody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.covertype import covertype
from contracts.errors import AuditFailed, NothingPublished
from expectations.audit import audit
from expectations.settings import AuditSettings
from lake.catalog.connection import connect
from lake.publish.pointer import publish
from lake.settings import LakeSettings
from tests.expectations.conftest import write
from tests.lake.landed import lake_in

# Great Expectations leaves its own files open.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def with_limits(limits: AuditSettings, **values: object) -> AuditSettings:
    return limits.model_copy(update=values)


def failures(lake: LakeSettings, limits: AuditSettings) -> str:
    with pytest.raises(AuditFailed) as raised:
        audit(lake, limits)
    return str(raised.value)


def test_a_sound_lake_passes_and_its_pages_can_be_read(lake: LakeSettings, limits: AuditSettings) -> None:
    audited = audit(lake, limits)
    assert audited.warnings == ()
    assert audited.passed == audited.expectations > 30
    assert audited.summary == f"{audited.passed} of {audited.passed} expectations held, 0 warnings"
    assert audited.docs is not None
    pages = list(audited.docs.parent.glob("validations/**/*.html"))
    assert {page.parts[-4] for page in pages} == {"landings", "gold_rows", "gold_shares", "gold_totals"}
    assert any("elevation_m" in page.read_text(encoding="utf-8") for page in pages)


def test_every_bound_and_every_name_of_the_contract_is_looked_at() -> None:
    from expectations.suites import gold_rows_suite

    looked_at = {
        (
            item.column,
            item.expectation_type,
            getattr(item, "min_value", None),
            getattr(item, "max_value", None),
        )
        for item in gold_rows_suite(covertype()).expectations
    }
    for column in covertype().columns:
        assert (column.name, "expect_column_values_to_not_be_null", None, None) in looked_at
        kind = "between" if column.kind == "integer" else "in_set"
        expected = (column.name, f"expect_column_values_to_be_{kind}", column.minimum, column.maximum)
        assert expected in looked_at


def test_a_landing_with_too_much_in_quarantine_is_named_with_its_share(
    lake: LakeSettings, limits: AuditSettings
) -> None:
    message = failures(lake, with_limits(limits, quarantine_share=0.001))
    assert "expect_column_values_to_be_between quarantine_share 1 of 2 rows do not fit" in message
    assert "quarantine_share=0.002 landing_id=20261122T121000" in message
    assert "quarantined_for=out_of_range:Slope in 2 rows" in message
    assert "allowed any to 0.001" in message


def test_a_value_out_of_bounds_in_gold_is_named_with_its_row(
    lake: LakeSettings, limits: AuditSettings
) -> None:
    write(
        lake,
        "update gold.training_set set slope_deg = 110 "
        "where row_id = (select min(row_id) from gold.training_set)",
    )
    write(
        lake,
        "update gold.training_set set soil_type = 'C7744' "
        "where row_id = (select max(row_id) from gold.training_set)",
    )
    message = failures(lake, limits)
    assert "slope_deg 1 of" in message
    assert "slope_deg=110 row_id=" in message
    assert "allowed 0.0 to 90.0" in message
    assert "expect_column_values_to_be_in_set soil_type 1 of" in message
    assert "C7744" in message
    assert len(re.findall(r"row_id=[0-9a-f]{32}", message)) == 2


def test_a_row_that_is_there_twice_or_on_both_sides_is_found(
    lake: LakeSettings, limits: AuditSettings
) -> None:
    write(
        lake,
        "insert into gold.training_set select * replace (case split when 'test' then 'train' else 'test' end "
        "as split) from gold.training_set order by row_id limit 3",
    )
    message = failures(lake, limits)
    assert "repeated_row_ids observed 3" in message
    assert "rows_leaking observed 6" in message


def test_gold_with_one_side_or_one_class_is_refused(lake: LakeSettings, limits: AuditSettings) -> None:
    write(lake, "update gold.training_set set split = 'train', cover_type = 1")
    message = failures(lake, limits)
    assert "test_share observed 0" in message
    assert "cover_type_share 1 of" in message
    assert "classes observed 1" in message


def test_an_older_snapshot_is_judged_by_what_was_in_it(lake: LakeSettings, limits: AuditSettings) -> None:
    sound = audit(lake, with_limits(limits, has_docs=False)).snapshot_id
    write(lake, "delete from gold.training_set where split = 'test'")
    assert audit(lake, with_limits(limits, has_docs=False), snapshot_id=sound).snapshot_id == sound


def test_rows_that_were_audited_for_a_publication_are_not_looked_at_one_by_one_again(
    lake: LakeSettings, limits: AuditSettings
) -> None:
    from expectations.frames import read_frames

    with connect(lake) as connection:
        everything = read_frames(connection, covertype(), limits, None)
    publication = publish(lake, audit(lake, with_limits(limits, has_docs=False)).snapshot_id, "")
    with connect(lake) as connection:
        nothing_new = read_frames(connection, covertype(), limits, publication.snapshot_id)
    assert (len(everything.landings), len(everything.gold_rows)) == (2, everything.rows)
    assert (len(nothing_new.landings), len(nothing_new.gold_rows)) == (0, 0)
    assert nothing_new.rows == everything.rows


def test_an_old_landing_or_an_odd_size_is_a_warning_only(lake: LakeSettings, limits: AuditSettings) -> None:
    write(lake, "update silver.landings set landed_rows = 100 where quarantined_rows = 0")
    audited = audit(lake, with_limits(limits, freshness_s=-1e9, has_docs=False))
    assert len(audited.warnings) == 2
    assert "newest_landing_age_s" in " ".join(audited.warnings)
    assert "volume_factor" in " ".join(audited.warnings)


@pytest.mark.long
def test_the_pages_stay_bounded(lake: LakeSettings, limits: AuditSettings) -> None:
    few = with_limits(limits, results_kept=5)
    for _ in range(3):
        docs = audit(lake, few).docs
    assert docs is not None
    assert len(list(few.folder.glob("results/**/*.json"))) == 5
    assert len(list(docs.parent.glob("validations/**/*.html"))) == 5
    linked = set(re.findall(r"(?:validations|expectations)/[\w./-]+\.html", docs.read_text(encoding="utf-8")))
    assert len(linked) == 5 + 4  # results and suites
    assert all((docs.parent / link).is_file() for link in linked)


def test_a_lake_without_gold_says_what_to_do(tmp_path: Path, limits: AuditSettings) -> None:
    lake = lake_in(tmp_path / "empty")
    with connect(lake, write=True):
        pass
    with pytest.raises(NothingPublished, match="canopy refine"):
        audit(lake, limits)
