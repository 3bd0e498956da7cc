"""The splits that bench/models.py measures on."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from contracts.covertype import covertype
from training.fit.rows import Rows, as_rows

SALT, TEST_PERCENT = "canopy-{}", 20


def sides(rows: pa.Table, is_stratified: bool, number: int = 0) -> tuple[Rows, Rows]:
    """Returns rows to learn from and rows to test on; the first split of each kind is the one that is
    published."""
    return stratified(rows, number) if is_stratified else split(rows, SALT.format(number + 1))


def split(rows: pa.Table, salt: str = SALT.format(1)) -> tuple[Rows, Rows]:
    """Returns distinct rows on the sides that gold would put them on, in the order of their hash.

    Args:
        rows: Strings, shape (n_rows, 13).
        salt: Of the hash; with another one than gold's it is another split.
    """
    digests = {line: _digest(line, salt) for line in zip(*rows.to_pydict().values(), strict=True)}
    sides: tuple[list[tuple[str, ...]], ...] = ([], [])
    for line in sorted(digests, key=lambda line: digests[line]):
        sides[int(digests[line][:8], 16) % 100 < TEST_PERCENT].append(line)
    train, test = (_rows_of(list(zip(*side, strict=True))) for side in sides)
    return train, test


def stratified(rows: pa.Table, seed: int = 0) -> tuple[Rows, Rows]:
    """Returns the split that most people take: at random, with each class's share the same on both sides.

    Args:
        rows: Strings, shape (n_rows, 13), as the file has them.
        seed: Of the shuffling.
    """
    from sklearn.model_selection import train_test_split

    whole = _rows_of(list(rows.to_pydict().values()))
    train, test = train_test_split(
        np.arange(len(whole)), test_size=TEST_PERCENT / 100, random_state=seed, stratify=whole.labels
    )
    return whole.at(train), whole.at(test)


def _rows_of(columns: list[list[str]] | list[tuple[str, ...]]) -> Rows:
    names = [column.name for column in covertype().columns]
    return as_rows(dict(zip(names, map(np.array, columns), strict=True)))


def _digest(line: tuple[str, ...], salt: str) -> str:
    return hashlib.md5("|".join([salt, *line[:-1]]).encode(), usedforsecurity=False).hexdigest()
