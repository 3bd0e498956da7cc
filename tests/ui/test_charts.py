"""What the charts draw."""

from typing import Any

import pytest

from contracts.covertype import covertype
from ui.charts.class_charts import batch_chart, interval_chart, probability_chart
from ui.charts.quality_charts import Multiple, multiples_chart
from ui.charts.variation_chart import variation_chart
from ui.language import texts_of
from ui.reading.gold import Batch
from ui.reading.scores import Estimate

EN, ES = texts_of("en"), texts_of("es")


def drawn(chart: Any) -> list[dict[str, Any]]:
    """The records that a chart draws."""
    specification = chart.to_dict()
    records: list[dict[str, Any]] = specification["datasets"][specification["data"]["name"]]
    return records


def test_the_bars_of_a_batch_add_up_to_what_landed() -> None:
    records = drawn(batch_chart(EN, [Batch(5, 1, 2, 1000, 700, 3), Batch(5, None, 1, 0, 0, 0)]))
    assert sum(record["rows"] for record in records if record["batch"] == "1") == 1000
    assert {record["kind"] for record in records} == {"New", "Repeated", "Quarantined"}


def test_batches_of_several_groups_are_told_apart() -> None:
    records = drawn(batch_chart(EN, [Batch(4, 1, 1, 10, 10, 0), Batch(5, 1, 1, 10, 10, 0)]))
    assert {record["batch"] for record in records} == {"4.1", "5.1"}


def test_an_estimate_without_an_interval_is_a_dot_alone() -> None:
    estimates = [Estimate("1", 0.8), Estimate("2", 0.9, 0.85, 0.93)]
    alone, whole = drawn(interval_chart(EN, estimates, "Macro-F1"))
    assert (alone["low"], alone["high"], alone["interval"]) == (0.8, 0.8, "–")
    assert (whole["low"], whole["high"], whole["interval"]) == (0.85, 0.93, "0.850 – 0.930")


@pytest.mark.parametrize(("low", "start"), [(0.86, 0.8), (0.01, 0.0)])
def test_the_axis_starts_at_a_round_value_below_the_lowest_interval(low: float, start: float) -> None:
    chart = interval_chart(EN, [Estimate("1", 0.9, low, 0.95)], "Macro-F1").to_dict()
    domain = chart["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert domain == [pytest.approx(start), 1.0]


def test_probabilities_come_in_descending_order_with_translated_names() -> None:
    shares = dict.fromkeys(covertype().class_names, 0.05) | {"Aspen": 0.7}
    records = drawn(probability_chart(ES, shares))
    assert records[0] == {"name": "Álamo temblón  70,0\u00a0%", "share": 0.7, "is_first": True}
    assert len(records) == 7


def little(items: list[Multiple], **options: float) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
    """The names of the rows as they are written, the figures that are drawn, and the limits."""
    specification = multiples_chart(EN, items, **options).to_dict()
    _, _, limits, line, _ = (
        specification["datasets"][layer["data"]["name"]] if "data" in layer else None
        for layer in specification["layer"]
    )
    names = next(
        layer["encoding"]["y"]["axis"]["labelExpr"]
        for layer in specification["layer"]
        if "axis" in layer["encoding"]["y"]
    )
    return names, line, limits


def test_a_little_chart_says_when_its_newest_figure_is_over_the_limit() -> None:
    over = Multiple("Slope", "0.31", [0.1, None, 0.31], limit=0.2)
    under = Multiple("Aspect", "0.10", [0.31, 0.1], limit=0.2)
    names, figures, limits = little([over, under], shared=0.4)
    assert '["Slope", "0.31 ▲"], ["Aspect", "0.10"]' in names
    assert [(one["row"], one["place"], one.get("is_over")) for one in figures] == [
        *((0, -2, None), (0, 0, True), (1, -1, None), (1, 0, False))
    ]
    assert figures[1]["value"] < limits[0]["limit"] < figures[0]["value"]  # downwards


def test_little_charts_without_a_point_are_no_picture_without_a_text() -> None:
    """Vega makes of a container without items a picture, which a screen reader cannot name."""
    for values, is_told in (([None, None], False), ([0.1, None], True)):
        specification = multiples_chart(EN, [Multiple("Slope", "–", values, limit=0.2)], shared=0.4).to_dict()
        assert [layer["mark"].get("aria") for layer in specification["layer"]][-1] is is_told


def test_a_band_lies_around_its_line_within_its_row() -> None:
    item = Multiple("Slope", "5", [5.0], [1.0], [9.0])
    _, (figure,), limits = little([Multiple("Aspect", "–", [None]), item])
    assert 1 < figure["high"] < figure["value"] < figure["low"] < 2
    assert limits == []


def test_a_feature_without_any_figure_is_drawn_empty() -> None:
    names, figures, limits = little([Multiple("Slope", "–", [None, None], limit=0.2)], shared=0.3)
    assert ("Slope" in names, figures, len(limits)) == (True, [], 1)


def test_names_vary_as_bars_and_numbers_as_areas_with_a_line_at_the_present_value() -> None:
    shares = dict.fromkeys(covertype().class_names, 1 / 7)
    numbers = variation_chart(EN, covertype().column("slope_deg"), [(0, shares), (9, shares)], 9).to_dict()
    names = variation_chart(EN, covertype().column("wilderness_area"), [("Rawah", shares)], "Rawah").to_dict()
    assert [layer["mark"]["type"] for layer in numbers["layer"]] == ["area", "rule"]
    assert [layer["mark"]["type"] for layer in names["layer"]] == ["bar"]
