"""Silver and gold are what was landed, however the builds came about."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.dbt import build, build_docs, run_dbt, write_manifest
from contracts.covertype import covertype
from contracts.dbt_macro import PROJECT, render
from contracts.errors import BuildFailed
from lake.dbt.environment import dbt_environment
from lake.settings import LakeSettings
from tests.dbt_project.conftest import Grown, contents, select
from tests.lake.landed import Row, accepted_in_raw, lake_in, land, row_id, sample, side


def test_every_landed_row_is_accepted_or_quarantined(grown: Grown) -> None:
    counts = {
        landing: tuple(numbers)
        for landing, *numbers in select(
            grown.lake,
            "select landing_id, landed_rows, accepted_rows, quarantined_rows from silver.landings",
        )
    }
    assert counts == {
        grown.landings["first"].landing_id: (600, 600, 0),
        grown.landings["dirty"].landing_id: (601, 593, 8),
        grown.landings["without rows"].landing_id: (0, 0, 0),
        grown.landings["late"].landing_id: (600, 600, 0),
    }
    assert select(
        grown.lake,
        "select (select count(*) from silver.sightings), (select count(*) from silver.quarantine), "
        "(select count(*) from silver.landings)",
    ) == [(1793, 8, 4)]


def test_distinct_rows_are_those_of_a_count_made_from_the_raw_responses(grown: Grown) -> None:
    names = ", ".join(f"{column.name}::varchar" for column in covertype().columns)
    rows = select(grown.lake, f"select row_id, {names} from silver.observations")
    accepted = accepted_in_raw(grown.lake)
    assert len(accepted) == 1793
    assert {tuple(row[1:]) for row in rows} == set(accepted)
    assert len(rows) == len(set(accepted))
    assert all(row[0] == row_id([str(value) for value in row[1:]]) for row in rows)


def test_a_refused_row_is_kept_as_it_was_written_with_every_reason(grown: Grown) -> None:
    kept = select(
        grown.lake, "select position, reasons, unnest(source_values) from silver.quarantine order by position"
    )
    assert {position: reasons for position, reasons, *_ in kept} == grown.faults
    for position, _, *values in kept:
        assert values == grown.rows["dirty"][int(str(position))]


def test_a_row_is_new_in_the_landing_that_was_fetched_first_even_if_it_arrived_last(grown: Grown) -> None:
    late, first, dirty = (
        {tuple(row) for row in grown.rows[name]} & set(accepted_in_raw(grown.lake))
        for name in ("late", "first", "dirty")
    )
    new = dict(select(grown.lake, "select landing_id, new_rows from silver.landings"))
    assert new == {
        grown.landings["late"].landing_id: len(late),
        grown.landings["first"].landing_id: len(first - late),
        grown.landings["dirty"].landing_id: len(dirty - first - late),
        grown.landings["without rows"].landing_id: 0,
    }
    firsts = dict(select(grown.lake, "select first_landing_id, count(*) from gold.training_set group by all"))
    assert firsts == {landing: count for landing, count in new.items() if count}


def test_the_split_is_a_salted_hash_of_the_features(grown: Grown) -> None:
    features = ", ".join(f"{column.name}::varchar" for column in covertype().features)
    rows = select(grown.lake, f"select split, {features} from gold.training_set")
    assert all(split == side([str(value) for value in values]) for split, *values in rows)
    share = sum(split == "test" for split, *_ in rows) / len(rows)
    assert 0.15 < share < 0.25


def test_marts_add_up_to_what_they_summarise(grown: Grown) -> None:
    distinct = len(set(accepted_in_raw(grown.lake)))
    assert select(
        grown.lake,
        "select (select sum(observations) from gold.cover_by_area_and_elevation), "
        "(select max(distinct_rows) from gold.collection_progress), "
        "(select sum(landed_rows) from gold.collection_progress), "
        "(select count(*) from gold.batch_profiles), "
        "(select count(*) from gold.soil_types), "
        "(select count(*) from gold.wilderness_areas), "
        "(select string_agg(cover_type_name, '|' order by cover_type) from gold.cover_types)",
    ) == [(distinct, distinct, 1801, 3 * 13, 40, 4, "|".join(covertype().class_names))]


def test_every_table_and_column_of_gold_says_what_it_is_and_in_which_unit(grown: Grown) -> None:
    columns = select(
        grown.lake,
        "select table_name, column_name, comment from duckdb_columns() "
        "where database_name = 'lake' and schema_name = 'gold'",
    )
    assert [row for row in columns if "Unit: " not in str(row[2])] == []
    tables = "select comment from duckdb_tables() where database_name = 'lake' and schema_name = 'gold'"
    assert all("Grain" in str(comment) for (comment,) in select(grown.lake, tables))


def test_building_again_changes_no_row_and_opens_no_finished_file(grown: Grown) -> None:
    before = contents(grown.lake)
    files = [Path(grown.lake.uri, landing.key) for landing in grown.landings.values()]
    bodies = [file.read_bytes() for file in files]
    for file in files:
        file.write_bytes(b"whoever opens this fails")
    try:
        build(grown.lake, state=grown.state)
    finally:
        for file, body in zip(files, bodies, strict=True):
            file.write_bytes(body)
    assert contents(grown.lake) == before
    assert select(grown.lake, "select count(*) from silver.pending_landings") == [(0,)]


@pytest.mark.long
def test_building_from_nothing_gives_the_rows_that_building_step_by_step_gave(grown: Grown) -> None:
    before = contents(grown.lake)
    build(grown.lake, state=grown.state, is_full_refresh=True)
    assert contents(grown.lake) == before


@pytest.mark.long
def test_a_build_that_was_killed_is_made_good_by_the_next(
    tmp_path: Path, grown: Grown, slice_of_survey: list[Row]
) -> None:
    lake = lake_in(tmp_path)
    for minute in (5, 10):
        land(lake, sample(slice_of_survey, 400, seed=minute), minute)
    _kill_build_after(lake, tmp_path, "observations")
    assert select(lake, "select count(*) from information_schema.tables where table_name = 'landings'") == [
        (0,)
    ]
    land(lake, sample(slice_of_survey, 400, seed=1), minute=1)  # it comes before what the killed build saw
    build(lake, state=tmp_path / "dbt")
    healed = contents(lake)
    assert sum(1 for _ in healed["silver.landings"]) == 3
    build(lake, state=tmp_path / "dbt", is_full_refresh=True)
    assert contents(lake) == healed


def _kill_build_after(lake: LakeSettings, folder: Path, node: str) -> None:
    program = (
        "import logging, sys; logging.basicConfig(level=logging.INFO, stream=sys.stdout)\n"
        "from pathlib import Path\nfrom pipeline.dbt import build\nfrom tests.lake.landed import lake_in\n"
        f"folder = Path({str(folder)!r})\nbuild(lake_in(folder), state=folder / 'dbt')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=PROJECT.parent
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if f"dbt_node name={node} status=success" in line:
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL


def test_a_build_that_fails_names_the_model_and_leaves_this_process_as_it_was(
    tmp_path: Path, slice_of_survey: list[Row]
) -> None:
    lake = lake_in(tmp_path)
    landing = land(lake, slice_of_survey[:5], minute=1)
    Path(lake.uri, landing.key).write_bytes(b"not a Parquet file")
    before = dict(os.environ), Path.cwd()
    with pytest.raises(BuildFailed, match=r"model sightings: .*[Pp]arquet"):
        build(lake, state=tmp_path / "dbt")
    assert (dict(os.environ), Path.cwd()) == before


def test_the_projects_own_unit_tests_hold(grown: Grown) -> None:
    run_dbt(["test", "--select", "test_type:unit"], grown.lake, state=grown.state)
    results = json.loads((grown.state / "target" / "run_results.json").read_text())["results"]
    known = json.loads((grown.state / "target" / "manifest.json").read_text())["unit_tests"]
    told = [result["status"] for result in results if result["unique_id"].startswith("unit_test")]
    assert told == ["pass"] * len(known)
    assert known


def test_what_dbt_knows_of_the_contract_is_what_the_contract_says() -> None:
    for path, text in render(covertype()).items():
        assert (PROJECT / path).read_text(encoding="utf-8") == text, "run python -m contracts.dbt_macro"


def test_the_manifest_needs_no_lake(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "target")
    assert manifest.stat().st_size > 100_000
    assert list(tmp_path.iterdir()) == [tmp_path / "target"]


def test_the_docs_are_one_page(grown: Grown, tmp_path: Path) -> None:
    page = build_docs(grown.lake, tmp_path / "site", state=grown.state)
    text = page.read_text(encoding="utf-8")
    assert list(page.parent.iterdir()) == [page]
    assert "training_set" in text
    assert "Height above sea level" in text


def test_dbt_by_hand_makes_a_catalog_that_readers_never_wait_for(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    run_dbt(["build", "--select", "cover_types"], lake, state=tmp_path / "dbt")
    with closing(sqlite3.connect(lake.catalog_target)) as catalog:
        assert catalog.execute("pragma journal_mode").fetchone() == ("wal",)


def test_the_profile_asks_for_nothing_that_the_lake_does_not_give(tmp_path: Path) -> None:
    named = set(re.findall(r"env_var\('(\w+)'", (PROJECT / "profiles.yml").read_text()))
    settings = LakeSettings(uri="s3://lake", s3_endpoint_url="http://127.0.0.1:9000")
    given = set(dbt_environment(settings, tmp_path))
    assert named - given == set()
