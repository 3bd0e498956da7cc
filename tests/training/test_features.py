"""The feature graph."""

from __future__ import annotations

import numpy as np

from contracts.covertype import covertype
from training.fit.artefact import as_inputs
from training.fit.features import DIRECTIONS, SPACE, compute_features, feature_names, linear

ROW = {
    "elevation_m": 2596,
    "aspect_deg": 51,
    "slope_deg": 3,
    "horizontal_distance_to_hydrology_m": 300,
    "vertical_distance_to_hydrology_m": -400,
    "horizontal_distance_to_roadways_m": 510,
    "hillshade_9am": 221,
    "hillshade_noon": 232,
    "hillshade_3pm": 148,
    "horizontal_distance_to_fire_points_m": 6279,
    "wilderness_area": "Rawah",
    "soil_type": "C7745",
}


def features_of(**changes: int | str) -> dict[str, float]:
    matrix = compute_features(as_inputs([ROW | changes], covertype()))
    return dict(zip(feature_names(covertype()), matrix[0].tolist(), strict=True))


def test_the_derived_columns_are_what_their_names_say() -> None:
    features = features_of()
    assert features["elevation_of_hydrology_m"] == 2996
    assert features["straight_distance_to_hydrology_m"] == 500
    assert features["hydrology_plus_roadways_m"] == 810
    assert features["hydrology_minus_roadways_m"] == -210
    assert features["hydrology_plus_fire_points_m"] == 6579
    assert features["hydrology_minus_fire_points_m"] == -5979
    assert features["roadways_plus_fire_points_m"] == 6789
    assert features["roadways_minus_fire_points_m"] == -5769
    assert features["all_distances_m"] == 7089
    assert features["all_but_fire_points_m"] == -5469


def test_the_oblique_directions_are_spread_over_the_sphere_and_exact() -> None:
    directions = [terms for name, terms in linear().items() if name.startswith("direction")]
    assert len(directions) == DIRECTIONS
    weights = np.array([[terms[name] / scale for name, scale in SPACE.items()] for terms in directions])
    units = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    between = np.abs(units @ units.T)[~np.eye(DIRECTIONS, dtype=bool)]
    assert between.max() < 0.99  # no two are nearly the same
    assert np.linalg.norm(units.mean(axis=0)) < 0.15
    largest = {
        column.name: max(abs(column.minimum), column.maximum)
        for column in covertype().features
        if column.kind == "integer"
    }
    assert (
        max(sum(abs(weight) * largest[name] for name, weight in terms.items()) for terms in directions)
        < 2**24
    )


def test_every_integer_of_the_contract_passes_unchanged() -> None:
    for column in covertype().features:
        if column.kind == "integer":
            assert features_of(**{column.name: column.maximum})[column.name] == column.maximum
            assert features_of(**{column.name: column.minimum})[column.name] == column.minimum


def test_every_category_of_the_contract_has_a_position_of_its_own() -> None:
    for column in covertype().features:
        positions = {features_of(**{column.name: value})[column.name] for value in column.values}
        assert positions == set(range(len(column.values)))


def test_a_category_that_the_contract_does_not_have_is_minus_one() -> None:
    assert features_of(soil_type="C9999")["soil_type"] == -1
    assert features_of(wilderness_area="")["wilderness_area"] == -1


def test_a_row_has_the_same_features_alone_and_among_others() -> None:
    rows = [ROW | {"elevation_m": elevation} for elevation in range(1010, 4401, 7)]
    together = compute_features(as_inputs(rows, covertype()))
    alone = np.vstack([compute_features(as_inputs([row], covertype())) for row in rows])
    np.testing.assert_array_equal(together, alone)
