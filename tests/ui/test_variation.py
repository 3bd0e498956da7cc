"""One feature varied over its range."""

from contracts.covertype import covertype
from contracts.prediction import Problem
from ui.reading.cells import example_cell
from ui.reading.prediction import STEPS, values_of, vary
from ui.settings import UiSettings


def test_a_number_goes_over_the_range_of_the_collection_and_through_its_own_value() -> None:
    column = covertype().column("elevation_m")
    values = values_of(column, 2596, {"elevation_m": (1800, 3400)})
    assert (values[0], values[-1]) == (1800, 3400)
    assert 2596 in values
    assert len(values) <= STEPS + 1
    assert values_of(column, 4000, {"elevation_m": (1800, 3400)})[-1] == 4000


def test_without_a_lake_it_goes_over_the_contracts_bounds() -> None:
    values = values_of(covertype().column("slope_deg"), 3, {})
    assert (values[0], values[-1]) == (0, 90)


def test_names_are_all_tried() -> None:
    column = covertype().column("wilderness_area")
    assert values_of(column, "Rawah", {}) == list(column.values)


def test_each_value_is_answered_with_the_shares_of_all_cover_types(settings: UiSettings) -> None:
    points = vary(settings, example_cell().features, covertype().column("slope_deg"), [0, 10, 20])
    assert not isinstance(points, Problem)
    assert [value for value, _ in points] == [0, 10, 20]
    assert all(set(shares) == set(covertype().class_names) for _, shares in points)
