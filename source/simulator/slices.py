"""The rows, and the sample that a request gets of them."""

from __future__ import annotations

import logging
import random

import pyarrow as pa

from source.simulator.rows import read_rows
from source.simulator.settings import SimulatorSettings
from source.simulator.synthetic import generate

logger = logging.getLogger(__name__)

SYNTHETIC_SEED = 31  # the same rows at each start


class Slices:
    """Ten slices of the rows, in their order; what is left over belongs to an eleventh."""

    def __init__(self, rows: pa.Table, seed: int | None) -> None:
        self._rows = rows
        self._size = rows.num_rows // 10
        self._random = random.Random(seed)  # noqa: S311  # a sample of rows, no secret

    def sample(self, place: int) -> list[tuple[str, ...]]:
        """Returns a tenth of a slice, without repeats.

        Raises: ValueError if the slice has fewer rows than a tenth of a whole one.
        """
        part = self._rows.slice(place * self._size, self._size)
        drawn = part.take(pa.array(self._random.sample(range(part.num_rows), self._size // 10)))
        return list(zip(*(column.to_pylist() for column in drawn.columns), strict=True))


def rows_of(settings: SimulatorSettings) -> pa.Table:
    """Returns the rows of the settings' file, or drawn ones. Raises: RowsUnreadable."""
    if settings.rows:
        table = read_rows(settings.rows)
        logger.info("rows_read path=%s rows=%d", settings.rows, table.num_rows)
        return table
    table = generate(settings.synthetic_rows, SYNTHETIC_SEED)
    logger.warning(
        "rows_are_synthetic rows=%d seed=%d: they are drawn, not surveyed; a model of them says nothing of "
        "a forest. SIMULATOR_ROWS names a file of real ones.",
        table.num_rows, SYNTHETIC_SEED,
    )  # fmt: skip
    return table
