"""The forms that a source's rows may have, each read into the contract's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Literal, TypeGuard

from contracts.covertype import covertype
from source import one_hot
from source.difference import keys_apart, kind, listed, shown

Adapter = Literal["none", "numbers", "one_hot", "labels_from_one", "objects"]
Row = tuple[str, ...]
# How the rows are built, whatever their labels are.
Shape = Literal["coded", "numbers", "one_hot", "objects"]

SHAPES: dict[Adapter, Shape] = {
    "none": "coded",
    "numbers": "numbers",
    "labels_from_one": "coded",
    "one_hot": "one_hot",
    "objects": "objects",
}
FORMS: dict[Adapter, str] = {
    "none": "13 coded columns with labels 0-6, the contract's own form",
    "numbers": "13 coded columns with whole numbers of JSON, labels 0-6",
    "labels_from_one": "13 coded columns with UCI's labels 1-7",
    "one_hot": "55 columns, UCI's one-hot form (4 areas and 40 soils as 0 or 1, labels 1-7)",
    "objects": "objects, the form of the service with the `day` parameter, labels 0-6",
}
WHOLE = re.compile(r"-?[0-9]+")
FROM_ONE = re.compile(r"0*([1-7])")


def is_adapter(name: str) -> TypeGuard[Adapter]:
    """Returns whether there is an adapter of this name."""
    return name in SHAPES


def form_difference(data: list[Any], adapter: Adapter) -> str | None:
    """Returns whether the first row has another form than the declared one, and which setting reads that."""
    form = _form(data)
    if form is None or SHAPES[form] == SHAPES[adapter]:
        return None
    return _other_form(form, adapter)


def rows_difference(data: list[Any], adapter: Adapter) -> str | None:
    """Returns what keeps the rows from being read in the declared form."""
    if SHAPES[adapter] == "objects":
        return _objects_difference(data)
    if SHAPES[adapter] == "one_hot":
        columns = [f"column {place}" for place in range(one_hot.width())]
        found = _lists_difference(data, columns, (str, int), "a string or an integer")
        return found or one_hot.block_difference(_texts(data))
    if SHAPES[adapter] == "numbers":
        return _lists_difference(data, _source_names(), (str, int), "a string or an integer")
    return _lists_difference(data, _source_names(), (str,), "a string")


def read_rows(data: list[Any], adapter: Adapter) -> list[Row]:
    """Returns rows in the contract's columns, all strings; the labels are still the source's.

    Args:
        data: Rows that `rows_difference` has nothing against.
        adapter: The form that they have.
    """
    if SHAPES[adapter] == "objects":
        names = _source_names()
        return _texts([[row[name] for name in names] for row in data])
    return one_hot.coded(_texts(data)) if SHAPES[adapter] == "one_hot" else _texts(data)


def text_difference(rows: Sequence[Row]) -> str | None:
    """Finds what JSON can spell: half of a surrogate pair, which is no text and cannot be stored as such."""
    for position, row in enumerate(rows):
        if any("\ud800" <= character <= "\udfff" for character in "".join(row)):
            return f"row {position} has a string that is not Unicode text (half of a surrogate pair)"
    return None


def label_difference(rows: Sequence[Row], adapter: Adapter) -> str | None:
    """Returns whether the labels are of another coding than the declared form's.

    Args:
        rows: Shape (n_rows, 13), at least one row.
        adapter: The form that the rows were read in.
    """
    labels = _labels(rows)
    if adapter == "labels_from_one" and _are_from_zero(labels):
        return _other_form("none", adapter)
    if adapter in ("labels_from_one", "one_hot"):
        return _label_out_of_range(rows, labels)
    if not _are_from_one(labels):
        return None
    if adapter == "none":
        return _other_form("labels_from_one", adapter)
    return (
        f"{covertype().label.source_name} is UCI's 1-7 (there are 7s and no 0), and what "
        f"SOURCE_ADAPTER={adapter} reads is {FORMS[adapter]}; no adapter reads both: subtract one at the "
        "source"
    )


def contract_labels(rows: list[Row], adapter: Adapter) -> list[Row]:
    """Returns the rows with labels 0-6. A label that is no number stays as it is: that is the row's matter.

    Args:
        rows: Rows that `label_difference` has nothing against.
        adapter: The form that they were read in.
    """
    if adapter not in ("labels_from_one", "one_hot"):
        return rows
    recoded = {label: _from_zero(label) for label in _labels(rows)}
    place = _label_place()
    return [(*row[:place], recoded[row[place]], *row[place + 1 :]) for row in rows]


def _form(data: list[Any]) -> Adapter | None:
    first = data[0]
    if isinstance(first, dict):
        return "objects"
    if not isinstance(first, list) or len(first) not in (one_hot.width(), len(_source_names())):
        return None
    if len(first) == one_hot.width():
        return "one_hot"
    if sum(type(value) is int for value in first) > len(first) / 2:  # a single one is a mistake in a row
        return "numbers"
    lasting = {row[-1] for row in data if isinstance(row, list) and row and isinstance(row[-1], str)}
    return "labels_from_one" if _are_from_one(lasting) else "none"


def _other_form(found: Adapter, declared: Adapter) -> str:
    return (
        f"its rows come as {FORMS[found]}; what SOURCE_ADAPTER={declared} reads is {FORMS[declared]}. Set "
        f"SOURCE_ADAPTER={found}, then `canopy lake replay` lands what was refused"
    )


def _lists_difference(
    data: list[Any], columns: Sequence[str], kinds: tuple[type, ...], wanted: str
) -> str | None:
    """Checks all rows at once, which takes a third of a loop's time."""
    if set(map(type, data)) != {list}:
        position, row = _first(data, lambda row: not isinstance(row, list))
        return f"row {position} is {kind(row)}, not a list of {len(columns)} values"
    if set(map(len, data)) != {len(columns)}:
        position, row = _first(data, lambda row: len(row) != len(columns))
        return f"row {position} has {len(row)} columns, not {len(columns)}"
    if not set(map(type, chain.from_iterable(data))) <= set(kinds):
        return _cell_difference(data, columns, kinds, wanted)
    return None


def _objects_difference(data: list[Any]) -> str | None:
    names = _source_names()
    if set(map(type, data)) != {dict}:
        position, row = _first(data, lambda row: not isinstance(row, dict))
        return f"row {position} is {kind(row)}, not an object with the contract's columns"
    for position, row in enumerate(data):
        if apart := keys_apart(list(row), names):
            return f"row {position} comes {apart}; its keys are to be {listed(names[:3])}, …"
    cells = [[row[name] for name in names] for row in data]
    if not set(map(type, chain.from_iterable(cells))) <= {str, int}:
        return _cell_difference(cells, names, (str, int), "a string or an integer")
    return None


def _cell_difference(
    data: list[list[Any]], columns: Sequence[str], kinds: tuple[type, ...], wanted: str
) -> str:
    position, column, value = next(
        (position, column, value)
        for position, row in enumerate(data)
        for column, value in zip(columns, row, strict=True)
        if type(value) not in kinds
    )
    return f"row {position}, {column} is {kind(value)} ({shown(value)}); every value is to be {wanted}"


def _label_out_of_range(rows: Sequence[Row], labels: set[str]) -> str | None:
    wrong = {label for label in labels if WHOLE.fullmatch(label) and not FROM_ONE.fullmatch(label)}
    if not wrong:
        return None
    position, row = _first(rows, lambda row: row[_label_place()] in wrong)
    name = covertype().label.source_name
    return f"row {position}, {name} is {shown(row[_label_place()])}, and UCI's labels are 1-7"


def _first(rows: Sequence[Any], is_wanted: Callable[[Any], bool]) -> tuple[int, Any]:
    return next((position, row) for position, row in enumerate(rows) if is_wanted(row))


def _from_zero(label: str) -> str:
    found = FROM_ONE.fullmatch(label)
    return str(int(found.group(1)) - 1) if found else label


def _are_from_one(labels: set[str]) -> bool:
    return "7" in labels and "0" not in labels


def _are_from_zero(labels: set[str]) -> bool:
    return "0" in labels and "7" not in labels


def _labels(rows: Sequence[Row]) -> set[str]:
    place = _label_place()
    return {row[place] for row in rows}


def _label_place() -> int:
    columns = covertype().columns
    return columns.index(covertype().label)


def _source_names() -> list[str]:
    return [column.source_name for column in covertype().columns]


def _texts(data: Sequence[Sequence[Any]]) -> list[Row]:
    return [tuple(map(str, row)) for row in data]
