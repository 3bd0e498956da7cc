"""What the marts say of the survey: against numpy, on the rows of the training set."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from contracts.covertype import covertype
from tests.dbt_project.conftest import Grown, select

DESTINATIONS = {
    "water": "horizontal_distance_to_hydrology_m",
    "road": "horizontal_distance_to_roadways_m",
    "fire point": "horizontal_distance_to_fire_points_m",
}
NAMES = covertype().class_names


@pytest.mark.parametrize(("destination", "column"), DESTINATIONS.items())
def test_distances_are_those_of_numpy(grown: Grown, destination: str, column: str) -> None:
    found = select(
        grown.lake,
        "select * exclude (destination) from gold.distances_by_cover_type "
        f"where destination = '{destination}'",
    )
    rows = select(grown.lake, f"select cover_type, {column} from gold.training_set")
    covers, distances = (np.array(values, int) for values in zip(*rows, strict=True))
    assert sorted(str(cover) for cover, *_ in found) == sorted(str(cover) for cover in set(covers))
    for cover, name, *figures in found:
        here = distances[covers == cover]
        quantiles = np.quantile(here, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])
        assert name == NAMES[int(str(cover))]
        assert figures == pytest.approx([len(here), *quantiles, here.mean()])


def test_soil_zones_are_those_of_the_contract_and_their_shares_are_of_all_their_rows(grown: Grown) -> None:
    rows = select(grown.lake, "select soil_type, cover_type, elevation_m from gold.training_set")
    (soils,) = (column for column in covertype().columns if column.name == "soil_type")
    zones: dict[object, tuple[str, str]] = {
        choice.value: (choice.properties["climatic_zone"], choice.properties["geologic_zone"])
        for choice in soils.choices
    }
    here = Counter((soil, cover) for soil, cover, _ in rows)
    of_soil = Counter(soil for soil, _, _ in rows)
    in_zone = Counter((zones[soil], cover) for soil, cover, _ in rows)
    of_zone = Counter(zones[soil] for soil, _, _ in rows)
    heights: dict[tuple[object, object], list[int]] = {}
    for soil, cover, height in rows:
        heights.setdefault((soil, cover), []).append(int(str(height)))
    found = select(
        grown.lake,
        "select soil_type, cover_type, climatic_zone, geologic_zone, cover_type_name, observations, "
        "cover_share, cover_share_in_zone, mean_elevation_m from gold.cover_by_soil_zone",
    )
    assert {(soil, cover) for soil, cover, *_ in found} == set(here)
    assert len(found) == len(here)
    for soil, cover, *zone, name, observations, share, share_in_zone, mean in found:
        assert (tuple(zone), name) == (zones[soil], NAMES[int(str(cover))])
        assert observations == here[soil, cover]
        assert share == pytest.approx(here[soil, cover] / of_soil[soil])
        assert share_in_zone == pytest.approx(in_zone[zones[soil], cover] / of_zone[zones[soil]])
        assert mean == pytest.approx(np.mean(heights[soil, cover]))
