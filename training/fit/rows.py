"""Gold's training set as arrays, as the published pointer shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from contracts.covertype import Column, Contract, covertype
from contracts.errors import TooFewRows
from lake.catalog.connection import connect
from lake.publish.digests import require_whole
from lake.publish.pointer import Publication
from lake.publish.statistics import require_statistics
from lake.settings import LakeSettings

Features = Mapping[str, NDArray[np.generic]]

SIGHTINGS = "sightings"
MINIMUM_TRAIN_ROWS, MINIMUM_TEST_ROWS = 200, 50  # with fewer there is no run
READ = ("gold.training_set", "silver.sightings", "silver.landings")
ROWS = """
with landed as (
    select row_id, count(*) as sightings from silver.sightings group by row_id
)
select {columns}, sightings
from gold.training_set
inner join landed using (row_id)
where split = ?
order by row_id
"""
LANDINGS = "select landing_id, raw_key from silver.landings order by landing_id"


@dataclass(frozen=True)
class Rows:
    """Rows of one side of the split, in the order of their identity.

    Attributes:
        features: One array of shape (n_rows, 1) for each of the contract's features, by name: int64, or
            str objects for the categories. This is what the ONNX model takes.
        labels: True classes as positions in the contract's list of classes, shape (n_rows,).
        sightings: How often each row has landed, shape (n_rows,). Nothing is learned from it; it tells
            what a split of landed rows would have counted twice.
    """

    features: Features
    labels: NDArray[np.int64]
    sightings: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, positions: NDArray[np.int64]) -> Rows:
        """Returns the rows at these positions."""
        chosen = {name: values[positions] for name, values in self.features.items()}
        return Rows(chosen, self.labels[positions], self.sightings[positions])


@dataclass(frozen=True)
class TrainingSet:
    """Both sides of gold's split at one publication.

    Attributes:
        publication: Which one.
        train: Rows to learn from.
        test: Held-out rows.
        landings: Where the responses lie that they came from, byte for byte: keys by landing.
    """

    publication: Publication
    train: Rows
    test: Rows
    landings: Mapping[str, str]


def read_training_set(lake: LakeSettings, publication: Publication) -> TrainingSet:
    """Reads `gold.training_set` as it was published.

    The rows come in the order of `row_id`, so that a forest grown from them depends on nothing but the
    snapshot and the seed. Each file that they are read from is compared with what was written, just before,
    and with the statistics by which it might be skipped.

    Raises: FilesChanged, naming the first that is not as it was.
    """
    query = ROWS.format(columns=", ".join(column.name for column in covertype().columns))
    with connect(lake, snapshot_id=publication.snapshot_id) as connection:
        files = require_whole(lake, connection, publication.snapshot_id, READ, until=publication.files_until)
        require_statistics(lake, connection, files)
        sides = [connection.execute(query, [side]).fetchnumpy() for side in ("train", "test")]
        train, test = cast(list[Features], sides)  # no column is an enumeration, which would be a category
        landings = dict(connection.execute(LANDINGS).fetchall())
    return TrainingSet(publication, as_rows(train), as_rows(test), landings)


def as_rows(columns: Features) -> Rows:
    """Returns rows from columns named as in the contract, the label among them; each landed once if none
    says."""
    contract = covertype()
    labels = np.asarray(columns[contract.label.name]).astype(np.int64)
    landed = columns.get(SIGHTINGS)
    sightings = np.ones(len(labels), dtype=np.int64) if landed is None else np.asarray(landed)
    return Rows(as_features(columns, contract), labels, sightings.astype(np.int64))


def as_features(columns: Features, contract: Contract) -> Features:
    """Returns the model's twelve inputs from columns named as in the contract."""
    return {column.name: _as_input(column, columns[column.name]) for column in contract.features}


def require_enough(rows: TrainingSet) -> None:
    """Refuses a training set from which nothing can be learned or told.

    Raises: TooFewRows.
    """
    if len(rows.train) < MINIMUM_TRAIN_ROWS:
        raise TooFewRows(f"{len(rows.train)} rows to train on, {MINIMUM_TRAIN_ROWS} are needed")
    if len(rows.test) < MINIMUM_TEST_ROWS:
        raise TooFewRows(f"{len(rows.test)} rows to test on, {MINIMUM_TEST_ROWS} are needed")
    if len(np.unique(rows.train.labels)) < 2:
        raise TooFewRows("all rows to train on are of one class")


def _as_input(column: Column, values: NDArray[np.generic]) -> NDArray[np.generic]:
    kind = np.dtype(np.int64) if column.kind == "integer" else np.dtype(object)
    return np.asarray(values).astype(kind).reshape(-1, 1)
