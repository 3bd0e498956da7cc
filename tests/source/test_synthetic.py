"""Drawn rows look like the survey's, and hold something to learn."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import f1_score

from contracts.covertype import covertype
from source.simulator.survey import SOILS
from source.simulator.synthetic import generate

# Blackard (1998): 211,840, 283,301, 35,754, 2,747, 9,493, 17,367 and 20,510 of 581,012 rows.
SHARES = np.array([0.3646, 0.4876, 0.0615, 0.0047, 0.0163, 0.0299, 0.0353])


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    return generate(40_000, seed=2).to_pandas()


def test_the_classes_come_in_the_surveys_shares(drawn: pd.DataFrame) -> None:
    shares = drawn["Cover_Type"].astype(int).value_counts(normalize=True).sort_index()
    assert list(shares.index) == list(range(7))
    assert np.abs(shares.to_numpy() / SHARES - 1).max() < 0.25


def test_every_value_is_within_the_contract(drawn: pd.DataFrame) -> None:
    assert list(drawn.columns) == [column.source_name for column in covertype().columns]
    for column in covertype().columns:
        if column.choices:
            assert set(drawn[column.source_name]) <= set(column.values)
        else:
            assert drawn[column.source_name].astype(int).between(column.minimum, column.maximum).all()


def test_the_outline_of_the_survey_names_the_contracts_soils() -> None:
    assert tuple(SOILS) == covertype().column("soil_type").values
    shares = np.sum([soil.per_10000 for soil in SOILS.values()], axis=0)
    assert shares == pytest.approx([4476, 509, 4368, 648], abs=10)


def test_areas_and_elevations_are_the_surveys(drawn: pd.DataFrame) -> None:
    elevation = drawn["Elevation"].astype(int)
    means = elevation.groupby(drawn["Wilderness_Area"]).mean()
    assert means["Cache"] == pytest.approx(2297, abs=120)
    assert means["Neota"] == pytest.approx(3246, abs=120)
    assert (elevation.mean(), elevation.std()) == (pytest.approx(2958, abs=30), pytest.approx(280, abs=30))


def test_rows_are_as_good_as_never_repeated(drawn: pd.DataFrame) -> None:
    assert drawn.duplicated().mean() < 0.0001


def test_a_forest_learns_from_them_but_not_everything(drawn: pd.DataFrame) -> None:
    features = drawn.iloc[:, :10].astype(float)
    features["area"] = drawn["Wilderness_Area"].astype("category").cat.codes
    features["soil"] = drawn["Soil_Type"].astype("category").cat.codes
    labels = drawn["Cover_Type"].astype(int)
    forest = ExtraTreesClassifier(30, max_features=None, random_state=0)
    forest.fit(features[:8_000], labels[:8_000])
    score = f1_score(labels[25_000:], forest.predict(features[25_000:]), average="macro")
    assert 0.65 < score < 0.9


def test_the_same_seed_draws_the_same_rows() -> None:
    assert generate(500, seed=4).equals(generate(500, seed=4))
    assert not generate(500, seed=4).equals(generate(500, seed=5))


def test_a_fifth_of_the_survey_is_drawn_in_a_few_seconds() -> None:
    began = time.perf_counter()
    assert generate(116_203, seed=1).num_rows == 116_203
    # One second on a free core; the bound leaves room for a busy one.
    assert time.perf_counter() - began < 10
