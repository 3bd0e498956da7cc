"""Which column of a table is which of the contract's, by its name in either spelling."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.covertype import Column
from contracts.errors import OutsideContract
from contracts.outside import shown
from contracts.prediction import Violation, allowed, named
from tabular.errors import TableUnreadable

SHOWN_NAMES, SHOWN_CHARACTERS = 8, 40
ONE_HOT = re.compile(r"(wilderness_?area|soil_?type)_?\d{1,2}", re.IGNORECASE)
ONE_HOT_WIDTHS = range(54, 57)  # with or without the cover type, and an index
NUMBER = re.compile(r"[+-]?[0-9.,]+")
IN_ONE_HOT = (
    "It is UCI's one-hot form, with a column for each area and each soil; wanted is one column with the "
    "area's name and one with the soil's code. `canopy source fetch` brings the whole set like that."
)


@dataclass(frozen=True)
class Matched:
    """Where the contract's columns are in a table.

    Attributes:
        places: The place of each, in the order in which they are wanted.
        others: The places of all the others, which are not looked at.
    """

    places: tuple[int, ...]
    others: tuple[int, ...]


def spellings(wanted: Sequence[Column]) -> Mapping[str, Column]:
    """Returns the columns by each name that they may have, in lower case."""
    return {name.casefold(): column for column in wanted for name in (column.name, column.source_name)}


def match(names: Sequence[str], wanted: Sequence[Column]) -> Matched:
    """Finds the contract's columns among those of a table; others may be there.

    Args:
        names: Of the table's columns, in their order.
        wanted: What must be there, each once.

    Raises: OutsideContract, naming what is missing or there twice; TableUnreadable if there are no names.
    """
    known, found = spellings(wanted), dict[str, list[int]]()
    for place, name in enumerate(names):
        column = known.get(name.strip().casefold())
        if column is not None:
            found.setdefault(column.name, []).append(place)
    if not found:
        _require_names(names, wanted)
    violations = [_missing(column) for column in wanted if column.name not in found]
    violations += [
        _repeated(column, [names[place] for place in found[column.name]])
        for column in wanted
        if len(found.get(column.name, ())) > 1
    ]
    if violations:
        raise OutsideContract(named(violations), len(violations), _note(names))
    places = tuple(found[column.name][0] for column in wanted)
    return Matched(places, tuple(place for place in range(len(names)) if place not in places))


def _require_names(names: Sequence[str], wanted: Sequence[Column]) -> None:
    if names and all(NUMBER.fullmatch(name.strip()) for name in names[:10]):
        begin = ",".join(shown(name, SHOWN_CHARACTERS) for name in names[:SHOWN_NAMES])
        what = f"its first line has values and no names of columns ({begin}, …)"
        if len(names) in ONE_HOT_WIDTHS:
            raise TableUnreadable(what, IN_ONE_HOT)
        raise TableUnreadable(
            what, f"Write the names above it: {','.join(column.name for column in wanted)}."
        )


def _missing(column: Column) -> Violation:
    return Violation(row=None, field=column.name, value=None, allowed=allowed(column), reason="missing")


def _repeated(column: Column, names: Sequence[str]) -> Violation:
    value = ", ".join(shown(name, SHOWN_CHARACTERS) for name in names)
    return Violation(row=None, field=column.name, value=value, allowed="one such column", reason="count")


def _note(names: Sequence[str]) -> str:
    if sum(bool(ONE_HOT.fullmatch(name.strip())) for name in names) > 1 or len(names) in ONE_HOT_WIDTHS:
        return IN_ONE_HOT
    listed = ", ".join(repr(shown(name, SHOWN_CHARACTERS)) for name in names[:SHOWN_NAMES])
    more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
    return f"There are the columns {listed}{more}." if names else ""


def unlike(name: str, place: int, taken: set[str]) -> str:
    """Returns a name for a column that has none of its own: no other column is called so."""
    while name in taken:
        name = f"{name}.{place}"
    taken.add(name)
    return name
