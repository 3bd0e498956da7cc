"""UCI's own form of a row: numbers, areas and soils as columns of 0 and 1, cover types 1-7.

Source: covtype.info of the UCI repository. Its numbers, areas and soils are in the contract's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.covertype import Column, covertype

INTEGERS = 10


@dataclass(frozen=True)
class Block:
    """The columns of 0 and 1 that stand for one column of the contract.

    Attributes:
        column: The contract's column; its values are in the order of the block's columns.
        first: The block's first column of the row.
    """

    column: Column
    first: int

    @property
    def places(self) -> slice:
        """Returns where the block lies in a row."""
        return slice(self.first, self.first + len(self.column.values))

    def codes(self) -> dict[tuple[str, ...], str]:
        """Returns each pattern with exactly one 1, and the value that it stands for."""
        width = len(self.column.values)
        return {
            tuple("1" if place == chosen else "0" for place in range(width)): value
            for chosen, value in enumerate(self.column.values)
        }


def blocks() -> tuple[Block, Block]:
    """Returns the areas, then the soils."""
    area, soil = covertype().columns[INTEGERS : INTEGERS + 2]
    return Block(area, INTEGERS), Block(soil, INTEGERS + len(area.values))


def width() -> int:
    """Returns columns of a row, the label included: 55."""
    return INTEGERS + sum(len(block.column.values) for block in blocks()) + 1


def block_difference(rows: Sequence[Sequence[str]]) -> str | None:
    """Returns the first row with a block that has not exactly one 1 among 0s.

    Args:
        rows: Shape (n_rows, 55).
    """
    for block in blocks():
        codes, places = block.codes(), block.places
        for position, row in enumerate(rows):
            if tuple(row[places]) not in codes:
                return f"row {position}: {_wrong(row[places], block)}"
    return None


def coded(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Translates 55 columns to the contract's 13; the labels stay 1-7.

    Args:
        rows: Shape (n_rows, 55), each block with exactly one 1.
    """
    areas, soils = blocks()
    area_of, soil_of = areas.codes(), soils.codes()
    return [
        (*row[:INTEGERS], area_of[tuple(row[areas.places])], soil_of[tuple(row[soils.places])], row[-1])
        for row in rows
    ]


def _wrong(values: Sequence[str], block: Block) -> str:
    name = f"the {len(values)} columns of {block.column.source_name}"
    others = [value for value in values if value not in ("0", "1")]
    if others:
        return f"{name} hold {others[0][:40]!r}, and 0 or 1 is to be there"
    return f"{name} have {values.count('1')} ones, and exactly one is to be there"
