"""The forms that the service's answers have been seen in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from contracts.covertype import covertype
from source import one_hot

Row = tuple[str, ...]
Form = Literal["coded", "one_hot", "labels_from_one", "objects", "bare_objects"]
# The second service asks for a day; it answers with objects.
Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
FORMS_WITH_A_DAY: tuple[Form, ...] = ("objects", "bare_objects")


def content(form: Form, group: int, batch: int, day: str | None, rows: Sequence[Row]) -> Any:
    """Returns what `/data` answers, before it is JSON.

    Args:
        form: The form to answer in.
        group: The group that was asked for.
        batch: The batch that it is at.
        day: The day that was asked for, where the form has one.
        rows: In the contract's own coding, shape (n_rows, 13).
    """
    data = _shaped(rows, form)
    if form == "bare_objects":
        return data
    if form == "objects":
        return {"group_number": group, "day": day, "batch_number": batch, "data": data}
    return {"group_number": group, "batch_number": batch, "data": data}


def _shaped(rows: Sequence[Row], form: Form) -> Sequence[Any]:
    if form == "one_hot":
        return _one_hot(rows)
    if form == "labels_from_one":
        labels = _labels_from_one()
        return [(*row[:-1], labels.get(row[-1], row[-1])) for row in rows]
    if form in FORMS_WITH_A_DAY:
        names = [column.source_name for column in covertype().columns]
        return [dict(zip(names, row, strict=True)) for row in rows]
    return rows


def _one_hot(rows: Sequence[Row]) -> list[Row]:
    """Returns UCI's 55 columns; a code that has no column leaves its block without a 1."""
    labels, blocks = _labels_from_one(), [_patterns(block) for block in one_hot.blocks()]
    return [
        (*integers, *_zeros_and_ones((area, soil), blocks), labels.get(label, label))
        for *integers, area, soil, label in rows
    ]


def _zeros_and_ones(codes: Row, blocks: Sequence[dict[str, Row]]) -> Iterator[str]:
    for code, patterns in zip(codes, blocks, strict=True):
        yield from patterns.get(code) or ("0",) * len(patterns)


def _patterns(block: one_hot.Block) -> dict[str, Row]:
    return {value: pattern for pattern, value in block.codes().items()}


def _labels_from_one() -> dict[str, str]:
    """Returns UCI's label for each of the contract's; what is no label stays as it is."""
    return {value: str(int(value) + 1) for value in covertype().label.values}
