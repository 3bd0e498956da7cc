"""What a model loses when a column is shuffled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.inspection import permutation_importance

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


class Fitted(BaseEstimator):  # type: ignore[misc]  # it has no types
    """A model as scikit-learn asks one."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, *_: Any) -> None:
        """Does nothing."""

    def predict(self, features: pd.DataFrame) -> Any:
        """The model's classes."""
        return self.model.answer({name: features[[name]].to_numpy() for name in features}).labels


def test_the_losses_are_those_of_scikit_learn() -> None:
    rows = by_elevation()
    model = grown(rows)[0]
    columns = {name: pd.Series(values[:, 0], dtype=values.dtype) for name, values in rows.features.items()}
    theirs = permutation_importance(
        Fitted(model),
        pd.DataFrame(columns),
        rows.labels,
        scoring="balanced_accuracy",
        n_repeats=3,
        random_state=1,
    ).importances_mean
    ours = {item.feature: item.loss for item in importances(model, rows, seed=1)}
    assert all(abs(ours[name] - loss) < 0.1 for name, loss in zip(columns, theirs, strict=True)), (
        ours,
        theirs,
    )
