"""What would change an answer: the same cell with one feature at values over its range."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.covertype import Column
from contracts.prediction import Problem
from ui.charts.variation_chart import Points
from ui.reading.prediction import Row, predict_rows
from ui.settings import UiSettings

STEPS = 41


def values_of(column: Column, present: int | str, ranges: Mapping[str, tuple[int, int]]) -> list[int | str]:
    """What a feature is set to: all its names, or steps over the range that the collection has.

    Args:
        column: The feature.
        present: The cell's own value, which is always among them.
        ranges: Lowest and highest value seen, by name; the contract's bounds where there is none.
    """
    if column.choices:
        return list(column.values)
    low, high = ranges.get(column.name, (column.minimum or 0, column.maximum or 0))
    low, high = min(low, int(present)), max(high, int(present))
    steps = {round(low + (high - low) * step / (STEPS - 1)) for step in range(STEPS)}
    return sorted(steps | {int(present)})


def vary(settings: UiSettings, cell: Row, column: Column, values: list[int | str]) -> Points | Problem:
    """The shares of all cover types at each value.

    Raises: ModelMissing while serving has no model; ServiceUnavailable if it does not answer.
    """
    answers = predict_rows(settings, [{**cell, column.name: value} for value in values])
    if isinstance(answers, Problem):
        return answers
    return [(value, answer.probabilities) for value, answer in zip(values, answers, strict=True)]
