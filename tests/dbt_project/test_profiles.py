"""How a response is distributed, and how far from what was published: against numpy and scipy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp

from pipeline.refine import refine
from contracts.covertype import covertype
from lake.settings import LakeSettings
from tests.dbt_project.conftest import select
from tests.dbt_project.test_kills import quiet
from tests.lake.landed import Row, lake_in, land, sample, survey_rows

NAMES = [column.name for column in covertype().columns]
KINDS = {column.name: column.kind for column in covertype().columns}

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def rows(survey: Path) -> list[Row]:
    return survey_rows(survey, 40_000)


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> LakeSettings:
    """What was published first, then a response like it and one of high places only; then much more."""
    folder = tmp_path_factory.mktemp("profiled")
    lake, limits = lake_in(folder), quiet(folder)
    high = [row for row in rows[2_000:] if int(row[0]) > 3_100]
    responses = (
        (rows[:1_500], 1),
        (sample(rows[1_500:], 1_200, seed=1), 2),
        (sample(high, 900, seed=2), 3),
    )
    for minute, (response, batch) in enumerate(responses):
        land(lake, response, minute, batch)
        refine(lake, limits, state=folder / "dbt")
    return lake


def column(rows: list[Row], name: str) -> np.ndarray:
    values = [row[NAMES.index(name)] for row in rows]
    return np.array(values, int if KINDS[name] == "integer" else str)


def index(reference: np.ndarray, response: np.ndarray) -> float:
    """The population stability index, over tenths of the reference or over its names."""
    if reference.dtype.kind == "i":
        values, counts = np.unique(reference, return_counts=True)
        begins = np.minimum(9, (np.cumsum(counts) - counts) * 10 // len(reference))
        bins = np.unique(begins)
        expected = np.array([counts[begins == b].sum() for b in bins])
        places = np.searchsorted(values, response, side="right") - 1
        found = np.where(places >= 0, begins[places], 0)
        actual = np.array([(found == b).sum() for b in bins])
    else:
        names, expected = np.unique(reference, return_counts=True)
        actual = np.array([(response == name).sum() for name in names])
    expected = (expected + 0.5) / (len(reference) + 0.5 * len(expected))
    actual = (actual + 0.5) / (len(response) + 0.5 * len(actual))
    return float(((actual - expected) * np.log(actual / expected)).sum())


def read(lake: LakeSettings, batch: int, name: str) -> list[Row]:
    """Values of one response as silver has them, or of gold as it was published first."""
    if batch:
        query = f"select {name}::varchar from silver.sightings where batch_number = {batch}"
    else:
        (snapshot,) = select(lake, "select min(snapshot_id) from published.publications")
        query = f"select {name}::varchar from gold.training_set at (version => {snapshot[0]})"
    return [[str(value)] for (value,) in select(lake, query)]


def profile(lake: LakeSettings, batch: int) -> dict[str, dict[str, object]]:
    names = ("psi", "ks_distance", "quantile_05", "quantile_50", "quantile_95", "mean", "standard_deviation")
    found = select(
        lake,
        f"select feature, {', '.join(names)} from gold.batch_profiles where landing_id in "
        f"(select landing_id from silver.landings where batch_number = {batch})",
    )
    return {str(feature): dict(zip(names, figures, strict=True)) for feature, *figures in found}


@pytest.mark.parametrize("batch", [2, 3])
def test_distances_are_those_of_scipy_and_numpy(profiled: LakeSettings, batch: int) -> None:
    found = profile(profiled, batch)
    assert sorted(found) == sorted(NAMES)
    for name in NAMES:
        kind = int if KINDS[name] == "integer" else str
        reference = np.array([row[0] for row in read(profiled, 0, name)]).astype(kind)
        response = np.array([row[0] for row in read(profiled, batch, name)]).astype(kind)
        assert found[name]["psi"] == pytest.approx(index(reference, response), rel=1e-9), name
        if kind is int:
            assert found[name]["ks_distance"] == pytest.approx(ks_2samp(response, reference).statistic), name
            quantiles = np.quantile(response, [0.05, 0.5, 0.95])
            assert [found[name][f"quantile_{q}"] for q in ("05", "50", "95")] == pytest.approx(quantiles)
            assert found[name]["mean"] == pytest.approx(response.mean())
            assert found[name]["standard_deviation"] == pytest.approx(response.std(ddof=1))
        else:
            assert found[name]["ks_distance"] is None


def test_a_response_from_elsewhere_is_far_and_one_like_the_reference_is_near(profiled: LakeSettings) -> None:
    near, far = profile(profiled, 2)["elevation_m"], profile(profiled, 3)["elevation_m"]
    assert float(str(near["psi"])) < float(str(far["psi"]))
    assert float(str(far["psi"])) > 1
    assert float(str(far["ks_distance"])) > 0.3


def test_there_is_nothing_to_compare_the_first_response_with(profiled: LakeSettings) -> None:
    assert {(row["psi"], row["ks_distance"]) for row in profile(profiled, 1).values()} == {(None, None)}


def test_the_reference_is_taken_again_only_when_gold_has_doubled(
    profiled: LakeSettings, rows: list[Row]
) -> None:
    folder = Path(profiled.uri).parent
    snapshots = select(profiled, "select snapshot_id from published.publications order by publication_id")
    reference = "select distinct reference_snapshot_id from gold.reference_profiles"
    assert select(profiled, reference) == snapshots[:1]
    land(profiled, rows[10_000:13_000], minute=30, batch=4)
    refine(profiled, quiet(folder), state=folder / "dbt")
    assert select(profiled, reference) == snapshots[2:3]  # what was published when that response came
