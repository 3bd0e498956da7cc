"""What the charts draw."""

from typing import Any

import pytest

from contracts.covertype import covertype
from ui.charts import Estimate, batch_chart, interval_chart, probability_chart
from ui.gold import Batch
from ui.language import texts_of

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
