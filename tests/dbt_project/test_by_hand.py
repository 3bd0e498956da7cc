"""dbt as its users know it: by hand, with the shipped profile; and the lineage that it draws."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.dbt import build, run_dbt, write_manifest
from contracts.dbt_macro import PROJECT
from contracts.errors import BuildFailed
from lake.settings import LakeSettings
from tests.dbt_project.conftest import contents, select
from tests.lake.landed import NOON, Row, lake_in, land, sample

SOURCE = "source.canopy.bronze.rows"
BY_HAND = f"""
eval "$(canopy lake env)"
cd {PROJECT}
dbt source freshness --selector bronze
dbt build --selector silver --exclude-resource-type unit_test
dbt build --selector gold --exclude-resource-type unit_test
dbt test  # unit tests too
dbt docs generate
"""
# What each of them reads, as its code names it.
READERS = {"model": "training", "ui": "ui", "audit": "expectations"}


def minute(age: timedelta) -> int:
    """The minute past noon that is so long ago."""
    return int((datetime.now(UTC) - age - NOON).total_seconds() // 60)


@pytest.mark.long
def test_each_layer_is_built_tested_and_documented_by_hand(
    tmp_path: Path, slice_of_survey: list[Row]
) -> None:
    lake = LakeSettings(uri=f"{tmp_path}/.canopy/lake", catalog=f"sqlite:{tmp_path}/.canopy/catalog.sqlite")
    land(lake, sample(slice_of_survey, 300, seed=1), minute(timedelta(minutes=10)))
    land(lake, sample(slice_of_survey, 300, seed=2), minute(timedelta(minutes=5)))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAKE_", "DBT_"))}
    ended = subprocess.run(
        ["bash", "-eu", "-c", BY_HAND],
        cwd=tmp_path,
        env=kept | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (tmp_path / ".canopy/dbt/target/catalog.json").is_file()
    by_hand = contents(lake)
    assert len(by_hand["silver.sightings"]) == 600
    assert sum(
        int(str(n)) for (n,) in select(lake, "select observations from gold.cover_by_soil_zone")
    ) == len(by_hand["gold.training_set"])
    build(lake, state=tmp_path / "dbt")  # `canopy refine` takes it from there
    assert contents(lake) == by_hand


@pytest.mark.long
def test_a_source_that_has_gone_quiet_is_a_warning_and_after_a_day_an_error(
    tmp_path: Path, slice_of_survey: list[Row]
) -> None:
    lake = lake_in(tmp_path)
    with pytest.raises(BuildFailed):
        freshness(lake, tmp_path)
    land(lake, slice_of_survey[:3], minute(timedelta(hours=25)))
    with pytest.raises(BuildFailed, match="source rows"):
        freshness(lake, tmp_path)
    land(lake, slice_of_survey[:2], minute(timedelta(hours=2)))
    assert freshness(lake, tmp_path) == "warn"
    land(lake, slice_of_survey[:1], minute(timedelta(minutes=5)))
    assert freshness(lake, tmp_path) == "pass"


def freshness(lake: LakeSettings, folder: Path) -> str:
    run_dbt(["source", "freshness"], lake, state=folder / "dbt")
    (result,) = json.loads((folder / "dbt/target/sources.json").read_text())["results"]
    return str(result["status"])


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_manifest(tmp_path_factory.mktemp("target")).read_text())
    return found


def reads(manifest: dict[str, Any], exposure: str) -> set[str]:
    nodes = manifest["exposures"][f"exposure.canopy.{exposure}"]["depends_on"]["nodes"]
    return {f"{manifest['nodes'][node]['schema']}.{manifest['nodes'][node]['name']}" for node in nodes}


def test_the_lineage_goes_from_the_source_to_everybody_who_reads(manifest: dict[str, Any]) -> None:
    assert {name.rpartition(".")[2] for name in manifest["exposures"]} == {
        *("audit", "model", "service", "ui", "analysts_file")
    }
    parents = manifest["parent_map"]
    for exposure in manifest["exposures"]:
        seen, new = set(), {exposure}
        while new:
            seen |= new
            new = {parent for node in new for parent in parents[node]} - seen
        assert SOURCE in seen, exposure


@pytest.mark.parametrize(("exposure", "package"), READERS.items())
def test_an_exposure_names_the_tables_that_its_code_reads(
    manifest: dict[str, Any], exposure: str, package: str
) -> None:
    code = "\n".join(file.read_text() for file in (PROJECT.parent / package).rglob("*.py"))
    assert reads(manifest, exposure) == set(re.findall(r"(?:from|join) ((?:silver|gold)\.\w+)", code))


def test_dbt_builds_every_model_by_materializations_of_its_own(manifest: dict[str, Any]) -> None:
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert {model["config"]["materialized"] for model in models} == {"incremental", "ephemeral"}
    ours = [macro["name"] for macro in manifest["macros"].values() if macro["package_name"] == "canopy"]
    assert "get_incremental_landings_sql" in ours
    assert not [name for name in ours if name.startswith("materialization_")]


def test_the_analysts_file_is_all_of_gold(manifest: dict[str, Any]) -> None:
    models = manifest["nodes"].values()
    gold = {
        f"gold.{node['name']}"
        for node in models
        if node["resource_type"] == "model" and "gold" in node["tags"]
    }
    assert reads(manifest, "analysts_file") == gold
