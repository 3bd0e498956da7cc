"""Nobody changes what was published unseen: by verify, before training, and by the analysts' file."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.errors import FilesChanged
from lake.catalog.compact import compact
from lake.catalog.connection import connect, current_snapshot
from lake.publish.analysts_file import KEY, write_analysts_file
from lake.publish.digests import RECORDS, record_digests
from lake.publish.pointer import Publication, latest, publish
from lake.settings import LakeSettings
from pipeline.dbt import build
from pipeline.verify.lake import Verified, verify
from tests.attacks.tampering import SWAPPED, files_of, flip_in_footer, record_as_it_is, rewrite
from tests.lake.landed import lake_in, land, survey_rows
from training.fit.rows import read_training_set

METADATA = "__ducklake_metadata_lake"
COVERS = "select cover_type, count(*) from gold.training_set group by 1 order by 1"
GOLD = "gold.training_set"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, survey: Path) -> Path:
    """Two publications; the second brings a landing from before the first, so that places are deleted."""
    folder = tmp_path_factory.mktemp("published")
    lake, rows = lake_in(folder), survey_rows(survey, 600)
    for minute, landed in ((10, rows[:300]), (5, rows[200:])):
        land(lake, landed, minute)
        build(lake, state=folder / "dbt")
        publish_newest(lake)
    assert verify(lake) == Verified(2, refused=0, unfinished=0, not_refined=0, faults=())
    return folder


@pytest.fixture
def lake(published: Path, tmp_path: Path) -> LakeSettings:
    """A copy of it, to be attacked; the catalog knows where its files are."""
    shutil.copytree(published / "lake", tmp_path / "lake")
    shutil.copy(published / "catalog.sqlite", tmp_path / "catalog.sqlite")
    moved = "update ducklake_metadata set value = ? where key = 'data_path'"
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as catalog, catalog:
        catalog.execute(moved, [f"{tmp_path}/lake/ducklake/"])
    return lake_in(tmp_path)


def test_what_is_whole_is_proven_and_said(lake: LakeSettings) -> None:
    found = verify(lake).published
    assert found.faults == ()
    assert found.files > 30
    assert found.not_recorded == 0
    assert found.digests_since is not None
    assert {GOLD, "gold.predictions", "gold.batch_profiles"} < {*found.rows_proven}
    assert {"gold.live_scores", "gold.batch_profiles.psi"} < {*found.by_digest_only}


def test_swapped_labels_behind_a_padded_footer_are_seen_by_everybody(lake: LakeSettings) -> None:
    before, analysts = covers(lake), (Path(lake.root) / KEY).read_bytes()
    attacked = files_of(lake, GOLD)[0]
    rewrite(attacked, SWAPPED)
    assert covers(lake) != before  # no reader fails: that is the attack
    file, rows = verify(lake).faults
    assert f"{attacked.name} of {GOLD} has " in file
    assert "was written with" in file
    assert f"In {GOLD}, the row " in rows
    assert "has another cover_type, and " in rows
    assert all("canopy lake replay" in fault for fault in (file, rows))
    with pytest.raises(FilesChanged, match=attacked.name):
        read_training_set(lake, pointer(lake))
    with pytest.raises(FilesChanged, match=attacked.name):
        write_analysts_file(lake, pointer(lake).snapshot_id)
    assert (Path(lake.root) / KEY).read_bytes() == analysts


@pytest.mark.long
def test_the_pointers_files_are_compared_also_after_dbt_has_made_their_table_anew(lake: LakeSettings) -> None:
    (attacked, *_) = files_of(lake, GOLD)
    build(lake, state=Path(lake.root).parent / "dbt", is_full_refresh=True)
    rewrite(attacked, SWAPPED)
    with pytest.raises(FilesChanged):
        read_training_set(lake, pointer(lake))


def test_a_file_with_the_right_length_and_other_bytes_is_a_fault(lake: LakeSettings) -> None:
    attacked = files_of(lake, GOLD)[-1]
    flip_in_footer(attacked)
    (fault,) = verify(lake).faults
    assert f"{attacked.name} of {GOLD} has the length that was written, and other bytes" in fault
    with pytest.raises(FilesChanged, match="other bytes"):
        read_training_set(lake, pointer(lake))


def test_labels_that_were_swapped_with_their_digest_are_seen_in_the_rows(lake: LakeSettings) -> None:
    attacked = files_of(lake, GOLD)[0]
    rewrite(attacked, SWAPPED)
    record_as_it_is(lake, attacked)
    faults = verify(lake).faults
    assert any(f"In {GOLD}, the row " in fault and "has another cover_type" in fault for fault in faults)


@pytest.mark.long
def test_silver_and_gold_changed_alike_with_their_digests_are_seen_against_bronze(lake: LakeSettings) -> None:
    tables = (GOLD, "silver.observations", "silver.sightings")
    attacked = [file for table in tables for file in files_of(lake, table)]
    for file in attacked:
        rewrite(file, SWAPPED)
    record_as_it_is(lake, *attacked)
    assert any(
        "has another cover_type" in fault and "In silver, row" in fault for fault in verify(lake).faults
    )


@pytest.mark.long
def test_another_side_of_the_split_is_seen_in_the_rows(lake: LakeSettings) -> None:
    attacked = files_of(lake, GOLD)[0]
    rewrite(attacked, "'train' as split")
    record_as_it_is(lake, attacked)
    (fault, *_) = [fault for fault in verify(lake).faults if "has another split" in fault]
    assert f"In {GOLD}" in fault


@pytest.mark.long
def test_two_files_in_each_others_place_are_two_faults(lake: LakeSettings) -> None:
    first, second = files_of(lake, "silver.sightings")
    first_body, second_body = first.read_bytes(), second.read_bytes()
    first.write_bytes(second_body)
    second.write_bytes(first_body)
    faults = verify(lake).faults
    assert (
        sum(f"{file.name} of silver.sightings has" in fault for file in (first, second) for fault in faults)
        == 2
    )


@pytest.mark.long
def test_a_changed_file_of_deleted_places_is_a_fault(lake: LakeSettings) -> None:
    (attacked, *_) = sorted(
        (Path(lake.root) / "ducklake" / "silver" / "observations").glob("*-delete.parquet")
    )
    flip_in_footer(attacked)
    (fault,) = verify(lake).faults
    assert f"{attacked.name} of silver.observations has the length that was written" in fault


@pytest.mark.long
def test_a_record_that_was_changed_is_a_fault_and_nothing_is_trained(lake: LakeSettings) -> None:
    with connect(lake, write=True) as connection:
        connection.execute(
            f"update {RECORDS} set sha256 = repeat('0', 64) where file_key like '%/training_set/%'"
        )
    faults = verify(lake).faults
    assert len(faults) == len(
        list((Path(lake.root) / "ducklake" / "gold" / "training_set").glob("*.parquet"))
    )
    assert all("and 0000000000" in fault for fault in faults)
    with pytest.raises(FilesChanged):
        read_training_set(lake, pointer(lake))


@pytest.mark.long
def test_records_that_were_exchanged_are_faults(lake: LakeSettings) -> None:
    first, second = files_of(lake, "silver.sightings")
    with connect(lake, write=True) as connection:
        connection.execute(
            f"update {RECORDS} set file_key = replace(file_key, '{first.name}', '{second.name}') "
            f"where file_key like '%/{first.name}'"
        )
    (fault,) = verify(lake).faults
    assert "the catalog was changed, or the record" in fault


STATISTICS = "update ducklake_file_column_stats set {} where table_id = {} and column_id = {}"


@pytest.mark.parametrize(
    ("column", "changed", "said"),
    [
        ("cover_type", "min_value = '90', max_value = '99'", "the catalog says 90 to 99"),
        ("split", "min_value = 'zz', max_value = 'zz'", "the catalog says zz to zz"),
        pytest.param("elevation_m", "max_value = '2000'", "to 2000, 0", marks=pytest.mark.long),
        pytest.param("row_id", "null_count = value_count", "row_id is", marks=pytest.mark.long),
        pytest.param("elevation_m", "min_value = 'high'", "the catalog says high", marks=pytest.mark.long),
        pytest.param(
            None,
            "record_count = record_count + 1000",
            "rows, and the catalog counts 1",
            marks=pytest.mark.long,
        ),
    ],
)
def test_statistics_by_which_rows_would_be_left_out_are_a_fault_and_nothing_is_trained(
    lake: LakeSettings, column: str | None, changed: str, said: str
) -> None:
    with closing(sqlite3.connect(Path(lake.catalog.partition(":")[2]))) as catalog, catalog:
        named = "select table_id from ducklake_table where table_name = 'training_set'"
        if column:
            of = f"table_id = ({named}) and column_name = '{column}'"
            place = f"(select column_id from ducklake_column where {of})"
            catalog.execute(STATISTICS.format(changed, f"({named})", place))
        else:
            catalog.execute(f"update ducklake_data_file set {changed} where table_id = ({named})")
    faults = verify(lake).published.faults
    assert any(said in fault and GOLD in fault for fault in faults), faults
    with pytest.raises(FilesChanged):
        read_training_set(lake, pointer(lake))


@pytest.mark.long
def test_a_record_that_was_removed_is_a_fault_and_is_not_made_again(lake: LakeSettings) -> None:
    attacked = files_of(lake, GOLD)[0]
    rewrite(attacked, SWAPPED)
    with connect(lake, write=True) as connection:
        connection.execute(f"delete from {RECORDS} where file_key like '%/{attacked.name}'")
        record_digests(lake, connection)
    assert any(f"{attacked.name} of {GOLD} has no recorded digest" in fault for fault in verify(lake).faults)
    with pytest.raises(FilesChanged, match="no recorded digest"):
        read_training_set(lake, pointer(lake))


@pytest.mark.long
@pytest.mark.parametrize("statement", [f"delete from {RECORDS}", f"drop table {RECORDS}"])
def test_records_that_were_all_removed_are_a_fault_and_are_not_made_again(
    lake: LakeSettings, statement: str
) -> None:
    rewrite(files_of(lake, GOLD)[0], SWAPPED)
    with connect(lake, write=True) as connection:
        connection.execute(statement)
    assert any("Digests of files were removed from the catalog" in fault for fault in verify(lake).faults)
    with pytest.raises(FilesChanged, match="were removed"):
        read_training_set(lake, pointer(lake))
    with connect(lake, write=True) as connection:
        connection.execute("create table gold.more as select 1 as n")
        record_digests(lake, connection)
    assert any("has no recorded digest" in fault for fault in verify(lake).faults)


@pytest.mark.long
def test_a_file_that_is_gone_is_a_fault(lake: LakeSettings) -> None:
    attacked = files_of(lake, "gold.soil_types")[0]
    attacked.unlink()
    file, *tables = verify(lake).faults
    assert f"{attacked.name} of gold.soil_types is gone" in file
    assert [table.partition(" cannot be compared")[0] for table in tables] == [
        "gold.soil_types",
        "gold.cover_by_soil_zone",  # derived from it
    ]


@pytest.mark.long
def test_another_analysts_file_is_a_fault_and_not_built_upon(lake: LakeSettings) -> None:
    file = Path(lake.root) / KEY
    file.write_bytes(file.read_bytes() + b"\0")
    (fault,) = verify(lake).faults
    assert f"{KEY} is not the one that was written" in fault
    publish_newest(lake)
    assert verify(lake).faults == ()


@pytest.mark.long
@pytest.mark.parametrize(
    "damage", [b"", *(pytest.param(body, marks=pytest.mark.long) for body in (b"PAR1", b"\0" * 4_000))]
)
def test_a_lake_of_damaged_files_is_a_list_of_faults(lake: LakeSettings, damage: bytes) -> None:
    damaged = sorted((Path(lake.root) / "ducklake").rglob("*.parquet"))
    for file in damaged:
        file.write_bytes(damage)
    faults = verify(lake).faults
    assert all(any(file.name in fault for fault in faults) for file in damaged)
    assert any("Nobody can read what is published" in fault for fault in faults)


def test_what_is_changed_between_the_build_and_the_pointer_is_not_published(lake: LakeSettings) -> None:
    before = pointer(lake)
    with connect(lake, write=True) as connection:
        connection.execute(f"insert into {GOLD} from {GOLD} limit 5")
        record_digests(lake, connection)
    flip_in_footer(files_of(lake, GOLD)[-1])
    with pytest.raises(FilesChanged, match="other bytes"):
        publish_newest(lake)
    assert pointer(lake) == before


@pytest.mark.long
def test_a_compaction_passes_nothing_on_that_was_changed_and_compacts_the_rest(lake: LakeSettings) -> None:
    flip_in_footer(files_of(lake, GOLD)[0])
    attacked, others = files_of(lake, GOLD), files_of(lake, "silver.sightings")
    with pytest.raises(FilesChanged, match=GOLD):
        compact(at_once(lake), now=later())
    assert files_of(lake, GOLD) == attacked
    assert len(files_of(lake, "silver.sightings")) < len(others)
    (fault,) = verify(lake).faults
    assert GOLD in fault


@pytest.mark.long
def test_a_compacted_lake_is_proven_like_before(lake: LakeSettings) -> None:
    before = verify(lake).published.files
    compact(at_once(lake), now=later())
    found = verify(lake)
    assert found.faults == ()
    assert found.published.not_recorded == 0
    assert found.published.files < before
    rows = read_training_set(lake, pointer(lake))
    assert len(rows.train) + len(rows.test) == sum(count for _, count in covers(lake))


@pytest.mark.long
def test_a_compaction_that_is_killed_before_it_records_leaves_no_fault(
    lake: LakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr("lake.catalog.compact.record_digests", _second_call_dies())
        with pytest.raises(KeyboardInterrupt):
            compact(at_once(lake), now=later())
    found = verify(lake)
    assert found.faults == ()
    assert found.published.not_recorded > 0
    read_training_set(lake, pointer(lake))
    compact(at_once(lake), now=later())
    assert verify(lake).published.not_recorded == 0


@pytest.mark.long
def test_a_lake_of_a_version_without_digests_has_no_fault_and_gets_them(lake: LakeSettings) -> None:
    with connect(lake, write=True) as connection:
        connection.execute(f"drop table {RECORDS}")
        # As if it had never been there: older snapshots would still show a column that was dropped.
        connection.execute(f"delete from {METADATA}.ducklake_column where column_name = 'files_until'")
    found = verify(lake)
    assert found.faults == ()
    assert found.published.digests_since is None
    read_training_set(lake, pointer(lake))
    with connect(lake, write=True) as connection:
        connection.execute("create table gold.more as select 1 as n")
    publish_newest(lake)
    found = verify(lake)
    assert found.faults == ()
    assert found.published.not_recorded == 0
    assert pointer(lake).files_until is not None


@pytest.mark.long
def test_a_replay_heals_what_was_changed_and_says_what_older_snapshots_keep(
    lake: LakeSettings, tmp_path: Path
) -> None:
    attacked = files_of(lake, GOLD)[0]
    before = covers(lake)
    rewrite(attacked, SWAPPED)
    build(lake, state=tmp_path / "dbt", is_full_refresh=True)
    publish_newest(lake)
    assert covers(lake) == before
    read_training_set(lake, pointer(lake))
    (fault,) = verify(lake).faults
    assert "Only snapshots before the published one read it" in fault
    with pytest.raises(FilesChanged):
        compact(lake, now=later())
    compact(at_once(lake), now=later())  # the snapshots that read it are gone, and it with them
    assert verify(lake).faults == ()


def covers(lake: LakeSettings) -> list[tuple[int, int]]:
    with connect(lake, snapshot_id=pointer(lake).snapshot_id) as connection:
        return connection.execute(COVERS).fetchall()


def pointer(lake: LakeSettings) -> Publication:
    publication = latest(lake)
    assert publication is not None
    return publication


def publish_newest(lake: LakeSettings) -> Publication:
    """As a refine does, without the four seconds of Great Expectations."""
    with connect(lake, write=True) as connection:
        record_digests(lake, connection)
        snapshot_id = current_snapshot(connection)
    return publish(lake, snapshot_id, "held")


def at_once(lake: LakeSettings) -> LakeSettings:
    return lake.model_copy(update={"keep_snapshots_days": 0.0, "keep_files_hours": 0.0})


def later() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=5)


def _second_call_dies() -> Callable[..., int]:
    calls: list[int] = []

    def record(*arguments: object) -> int:
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return record_digests(*arguments)  # type: ignore[arg-type]

    return record
