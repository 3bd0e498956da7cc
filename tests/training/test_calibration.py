"""How sure a model is, held to scikit-learn's figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from training.judge.calibration import BINS, calibration


@pytest.mark.parametrize("classes", [2, 7])
def test_bins_and_score_are_those_of_scikit_learn(classes: int) -> None:
    random = np.random.default_rng(classes)
    probabilities = random.dirichlet(np.full(classes, 0.5), 4_000).astype(np.float32)
    labels = random.integers(classes, size=len(probabilities))
    predicted = probabilities.argmax(axis=1)
    found = calibration(labels, predicted, probabilities)
    sure = probabilities.max(axis=1)
    accuracy, confidence = calibration_curve(labels == predicted, sure, n_bins=BINS, strategy="quantile")
    assert [one.accuracy.value for one in found.bins] == pytest.approx(accuracy)
    assert [one.confidence for one in found.bins] == pytest.approx(confidence)
    brier = brier_score_loss(labels, probabilities, labels=range(classes), scale_by_half=False)
    assert found.brier == pytest.approx(brier, abs=1e-6)


@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_bins_hold_every_row_once_from_the_least_to_the_most_sure(rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    votes = random.multinomial(20, np.full(7, 1 / 7), size=rows) / 20
    labels = random.integers(7, size=rows)
    found = calibration(labels, votes.argmax(axis=1), votes.astype(np.float32))
    assert sum(one.rows for one in found.bins) == rows
    assert [one.confidence for one in found.bins] == sorted(one.confidence for one in found.bins)
    off = sum(one.rows * abs(one.confidence - one.accuracy.value) for one in found.bins) / rows
    assert found.error == pytest.approx(off)
    assert 0 <= found.brier <= 2
