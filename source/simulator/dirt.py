"""The kinds of dirt that editions of the data are known to have, put into chosen rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import blake2b

from contracts.covertype import covertype

Row = tuple[str, ...]
Spoil = Callable[[Row, int], Row]
# None is in the contract; the first is the example of the service's own documentation.
UNSEEN_SOILS = ("C7744", "C2701", "C6732", "C9999")
IMPOSSIBLE_SLOPE = "110"


class Dirt:
    """Spoils a share of the rows.

    Which rows, and how, follows from their values alone: whoever asks again gets the same dirty row.
    """

    def __init__(self, share: float, *, has_codes: bool) -> None:
        """Args:
        share: Of the rows, 0 to 1.
        has_codes: Whether a soil can be one that nobody has seen; a one-hot row has no column for it.
        """
        self._share = share
        self._kinds: Sequence[Spoil] = KINDS if has_codes else KINDS[:-1]

    def spoiled(self, rows: list[Row]) -> list[Row]:
        """Returns the rows, the chosen ones with one value that no survey has.

        Args:
            rows: Strings, shape (n_rows, 13).
        """
        return [self._spoiled(row) for row in rows] if self._share else rows

    def _spoiled(self, row: Row) -> Row:
        drawn = int.from_bytes(blake2b("\x1f".join(row).encode(), digest_size=16).digest())
        chance, choice = divmod(drawn, 2**64)
        if chance >= self._share * 2**64:
            return row
        return self._kinds[choice % len(self._kinds)](row, choice // len(self._kinds))


def _with_empty_distance(row: Row, _choice: int) -> Row:
    return _with("horizontal_distance_to_hydrology_m", "", row)


def _with_impossible_slope(row: Row, _choice: int) -> Row:
    return _with("slope_deg", IMPOSSIBLE_SLOPE, row)


def _with_unseen_soil(row: Row, choice: int) -> Row:
    return _with("soil_type", UNSEEN_SOILS[choice % len(UNSEEN_SOILS)], row)


KINDS: tuple[Spoil, ...] = (_with_empty_distance, _with_impossible_slope, _with_unseen_soil)


def _with(name: str, value: str, row: Row) -> Row:
    place = _places()[name]
    return (*row[:place], value, *row[place + 1 :])


@cache
def _places() -> dict[str, int]:
    return {column.name: place for place, column in enumerate(covertype().columns)}
