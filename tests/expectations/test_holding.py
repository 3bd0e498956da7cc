"""A landing that fails as a whole is held back, so that the next refine publishes the others."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from contracts.errors import AuditFailed
from expectations import frames
from expectations.audit import audit
from expectations.settings import AlertSettings, AuditSettings
from lake.bronze.held import held, holds, release
from lake.catalog.connection import connect, current_snapshot
from lake.objects import open_objects
from lake.publish.audits import recorded_audits
from lake.publish.pointer import latest, publish, published
from lake.settings import LakeSettings
from pipeline.refine import refine
from tests.expectations.conftest import write
from tests.lake.landed import land, spoiled, survey_rows

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

CLEAN, DIRTY = "20261122T120500", "20261122T121000"


@pytest.fixture
def quick(limits: AuditSettings) -> AuditSettings:
    """The landings are of 1,000 rows."""
    return limits.model_copy(update={"has_docs": False, "expected_rows": 1_000})


def stopped(lake: LakeSettings, limits: AuditSettings, nobody: AlertSettings) -> AuditFailed:
    with pytest.raises(AuditFailed) as raised:
        audit(lake, limits, nobody)
    return raised.value


def held_in(lake: LakeSettings) -> list[str]:
    """The moments of the landings that are held back."""
    return [landing_id[:15] for landing_id in held(open_objects(lake))]


def with_limits(limits: AuditSettings, **values: object) -> AuditSettings:
    return limits.model_copy(update=values)


def test_it_is_held_with_its_own_findings_and_the_error_says_how_to_release_it(
    lake: LakeSettings, quick: AuditSettings, nobody: AlertSettings
) -> None:
    failed = stopped(lake, with_limits(quick, quarantine_share=0.001), nobody)
    assert held_in(lake) == [DIRTY]
    (found,) = holds(open_objects(lake))
    assert failed.held == [found.landing_id]
    assert found.findings == (
        "expect_column_values_to_be_between quarantine_share=0.002 "
        f"landing_id={found.landing_id} quarantined_for=out_of_range:Slope in 2 rows (allowed any to 0.001)",
    )
    assert f"Held back: {found.landing_id}; the next `canopy refine` leaves" in str(failed)
    assert "canopy lake release LANDING" in str(failed)


def test_until_it_is_left_out_nothing_is_published_however_often_it_is_audited(
    lake: LakeSettings, quick: AuditSettings, nobody: AlertSettings
) -> None:
    stopped(lake, with_limits(quick, quarantine_share=0.001), nobody)
    again = stopped(lake, quick, nobody)  # now its share would do
    assert "accepted_though_held 1 of 2 rows do not fit" in str(again)
    assert held_in(lake) == [DIRTY]


def test_what_a_person_has_released_is_not_judged_as_a_whole_again(
    lake: LakeSettings, quick: AuditSettings, nobody: AlertSettings
) -> None:
    strict = with_limits(quick, quarantine_share=0.001)
    (landing_id,) = stopped(lake, strict, nobody).held
    release(open_objects(lake), landing_id)
    audited = audit(lake, strict, nobody)
    assert audited.warnings == ()
    (_, last), *_ = recorded_audits(lake, 5)
    assert [judged[:15] for judged in last.landings] == [CLEAN]


@pytest.mark.longest
def test_the_next_refine_publishes_without_it_and_the_one_after_its_release_with_it(
    lake: LakeSettings, quick: AuditSettings, survey: Path, tmp_path: Path
) -> None:
    state = tmp_path / "dbt"
    with connect(lake) as connection:
        first = publish(lake, current_snapshot(connection), "sound")
    bad = [spoiled(row, Slope="110") if n % 2 else row for n, row in enumerate(survey_rows(survey, 1_000))]
    landing = land(lake, bad, minute=15)
    with pytest.raises(AuditFailed, match=r"quarantine_share=0\.5 landing_id=20261122T121500"):
        refine(lake, quick, state=state)
    assert latest(lake) == first

    healed = refine(lake, quick, state=state).publication
    assert healed.observations == first.observations
    assert healed.quarantined == first.quarantined + 1_000
    assert reasons(lake, landing.landing_id) == {"held_back": 1_000, "out_of_range:Slope": 500}

    release(open_objects(lake), landing.landing_id)
    taken_in = refine(lake, quick, state=state).publication
    assert taken_in.quarantined == first.quarantined + 500
    assert taken_in.observations > first.observations
    assert [new for _, new in published(lake)] == [(landing.landing_id,)] * 2 + [published(lake)[-1][1]]
    assert [record.is_passed for _, record in recorded_audits(lake, 9)] == [True, True, False]


def test_a_landing_of_another_size_is_a_warning_or_held(
    lake: LakeSettings, quick: AuditSettings, nobody: AlertSettings
) -> None:
    resize = "update silver.landings set landed_rows = {} where landing_id like '{}%'"
    write(lake, resize.format(200, CLEAN))
    assert "volume_factor=3.0 landing_id=20261122T120500" in " ".join(audit(lake, quick, nobody).warnings)
    write(lake, resize.format(50, CLEAN))
    assert "volume_factor=10.5 landing_id=20261122T120500" in str(stopped(lake, quick, nobody))
    assert held_in(lake) == [CLEAN]


def test_a_landing_may_be_as_large_as_a_whole_response_or_as_its_group_is_used_to(
    lake: LakeSettings, quick: AuditSettings, nobody: AlertSettings
) -> None:
    source = with_limits(quick, expected_rows=5_810)
    assert audit(lake, source, nobody).warnings == ()  # 1,000 rows, as both of its group have
    write(lake, f"update silver.landings set landed_rows = 5810 where landing_id like '{DIRTY}%'")
    (warning,) = audit(lake, source, nobody).warnings
    assert "volume_factor=3.4" in warning  # of 1,000 rows beside one of 5,810


def test_a_landing_without_rows_is_held(
    lake: LakeSettings, quick: AuditSettings, nobody: AlertSettings
) -> None:
    write(
        lake,
        f"update silver.landings set landed_rows = 0, accepted_rows = 0 where landing_id like '{CLEAN}%'",
    )
    assert "landed_rows=0 landing_id=20261122T120500" in str(stopped(lake, quick, nobody))
    assert held_in(lake) == [CLEAN]
    audit(lake, quick, nobody)  # nothing of it is in gold


@pytest.mark.long
def test_drift_is_a_warning_and_far_drift_is_held(
    lake: LakeSettings, quick: AuditSettings, nobody: AlertSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    distances(lake, psi=0.3, ks_distance=0.1, where=f"landing_id like '{CLEAN}%' and feature = 'slope_deg'")
    (warning,) = audit(lake, quick, nobody).warnings
    assert "psi 1 of 1 rows do not fit such as psi=0.3 landing_id=20261122T120500" in warning
    assert "feature=slope_deg readings=1000 (allowed any to 0.2)" in warning

    distances(lake, psi=1.5, ks_distance=0.5, where=f"landing_id like '{CLEAN}%' and feature = 'slope_deg'")
    assert len(audit(lake, quick, nobody).warnings) == 2
    with monkeypatch.context() as patch:
        patch.setattr(frames, "DRIFT_READINGS", 2_000)
        assert audit(lake, quick, nobody).warnings == ()
    failed = stopped(lake, with_limits(quick, drift_psi_error=1), nobody)
    assert "psi=1.5" in str(failed)
    assert held_in(lake) == [CLEAN]


@pytest.mark.long
def test_a_cover_type_or_area_whose_share_new_rows_move_is_a_warning(
    lake: LakeSettings, quick: AuditSettings, nobody: AlertSettings
) -> None:
    publish(lake, audit(lake, quick, nobody).snapshot_id, "")
    write(lake, "update silver.landings set accepted_rows = accepted_rows + 1 where quarantined_rows > 0")
    write(
        lake,
        f"update gold.training_set set wilderness_area = 'Cache' where first_landing_id like '{DIRTY}%'",
    )
    warnings = " ".join(audit(lake, quick, nobody).warnings)
    assert "slice=simulator group 1 feature=wilderness_area label=Cache" in warnings
    assert "cover_type" not in warnings


def test_failures_and_warnings_alert(
    lake: LakeSettings, quick: AuditSettings, nobody: AlertSettings, caplog: pytest.LogCaptureFixture
) -> None:
    audit(lake, with_limits(quick, freshness_s=-1e9), nobody)
    stopped(lake, with_limits(quick, quarantine_share=0.001), nobody)
    warning, failure = (record for record in caplog.records if record.msg.startswith("alert "))
    assert warning.levelno == logging.WARNING
    assert "newest_landing_age_s" in warning.getMessage()
    assert failure.levelno == logging.ERROR
    assert "canopy lake release" in failure.getMessage()


def test_every_audit_is_a_row(lake: LakeSettings, quick: AuditSettings, nobody: AlertSettings) -> None:
    passed = audit(lake, with_limits(quick, freshness_s=-1e9), nobody)
    stopped(lake, with_limits(quick, quarantine_share=0.001), nobody)
    (second, failed), (first, sound) = recorded_audits(lake, 9)
    assert (first, second) == (passed.audit_id, passed.audit_id + 1)
    assert (sound.is_passed, sound.failures, sound.held) == (True, (), ())
    assert (sound.snapshot_id, sound.expectations) == (passed.snapshot_id, passed.expectations)
    assert [landing_id[:15] for landing_id in sound.landings] == [CLEAN, DIRTY]
    assert len(sound.warnings) == 1
    assert (failed.is_passed, len(failed.failures), [name[:15] for name in failed.held]) == (
        False,
        1,
        [DIRTY],
    )
    assert 0 < failed.seconds < 60


def distances(lake: LakeSettings, psi: float, ks_distance: float, where: str) -> None:
    """Gives one profile a distance, and takes it from all others."""
    with connect(lake, write=True) as writer:
        for name in ("psi", "ks_distance"):
            writer.execute(f"alter table gold.batch_profiles add column if not exists {name} double")
        writer.execute("update gold.batch_profiles set psi = null, ks_distance = null")
        writer.execute(
            f"update gold.batch_profiles set psi = {psi}, ks_distance = {ks_distance} where {where}"
        )


def reasons(lake: LakeSettings, landing_id: str) -> dict[str, int]:
    with connect(lake) as reader:
        rows = reader.execute(
            "select reason, count(*) from silver.quarantine, unnest(reasons) as listed(reason) "
            "where landing_id = ? group by all",
            [landing_id],
        ).fetchall()
    return dict(rows)
