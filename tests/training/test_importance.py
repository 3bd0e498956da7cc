"""What a model loses when a column is shuffled."""

from __future__ import annotations

import numpy as np

from tests.training.survey import survey
from tests.training.test_artefact import grown
from training.fit.rows import Rows, as_rows
from training.judge.importance import ROWS_BY_CLASS, importances


def by_elevation() -> Rows:
    """Rows whose class is their elevation alone: the lower half is one, the upper half another."""
    rows = as_rows(survey(3000))
    heights = rows.features["elevation_m"][:, 0]
    return Rows(rows.features, (heights > np.median(heights)).astype(np.int64), rows.sightings)


def test_the_column_that_decides_comes_first_and_an_unused_one_loses_almost_nothing() -> None:
    rows = by_elevation()
    found = importances(grown(rows)[0], rows, seed=1)
    losses = {item.feature: item.loss for item in found}
    assert set(losses) == set(rows.features)
    assert found[0].feature == "elevation_m"
    assert losses["elevation_m"] > 0.3  # half of the answers would be a guess at 0.5
    assert max(loss for name, loss in losses.items() if name != "elevation_m") < 0.2
    assert all(item.low <= item.loss <= item.high for item in found)


def test_the_same_seed_finds_the_same_and_no_row_is_asked_about_too_often() -> None:
    rows = by_elevation()
    model = grown(rows)[0]
    asked: list[int] = []

    class Counting:
        def answer(self, features):
            asked.append(len(features["elevation_m"]))
            return model.answer(features)

    assert importances(Counting(), rows, seed=1) == importances(model, rows, seed=1)
    assert set(asked) == {2 * ROWS_BY_CLASS}
