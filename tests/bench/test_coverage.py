"""The measurement of the estimate holds Canopy to its interval, and its rivals to their textbooks."""

from __future__ import annotations

import math
import sys
from itertools import islice, pairwise

import numpy as np
import pytest

from bench.coverage import ESTIMATORS, Samples, chapman, main, measure, resample, schnabel, table

CANOPY = "**Canopy**"


@pytest.mark.parametrize("rows", [11_620, 1_000])
@pytest.mark.parametrize("responses", [5, 10, 28])
def test_the_interval_holds_the_truth_and_the_estimate_beats_the_last_two_samples(
    rows: int, responses: int
) -> None:
    errors = measure(rows, responses, seeds=25)
    assert np.mean(errors[CANOPY].held) >= 0.84  # 25 seeds of one that holds 95 % of the time: 21 or more
    assert np.median(np.abs(errors[CANOPY].rows)) < np.median(np.abs(errors["Chapman, last two"].rows))
    assert np.mean(errors[CANOPY].seen) == pytest.approx(1 - 0.9**responses, rel=0.01)


def test_a_collector_that_stops_when_it_believes_to_have_enough_has_it() -> None:
    seen = measure(11_620, None, seeds=20)[CANOPY].seen
    assert min(seen) > 0.94


def test_samples_count_what_a_person_would_count() -> None:
    found = list(islice(resample(1, 50, 20), 6))
    for before, samples in pairwise(found):
        assert samples.known[-1] == before.distinct_rows
        assert samples.distinct_rows == before.distinct_rows + samples.sizes[-1] - samples.met_again[-1]
    assert found[1].last_two == found[1].met_again[1]


def test_the_rivals_are_what_their_books_say() -> None:
    # Seber's and Krebs' formulas by hand: 200 marked, 250 caught, 50 of them marked.
    samples = Samples((200, 250), (0, 200), (0, 50), 50, 400)
    assert chapman(samples).rows == pytest.approx(201 * 251 / 51 - 1)
    spread = math.sqrt(201 * 251 * 150 * 200 / (51**2 * 52))
    assert chapman(samples).high - chapman(samples).low == pytest.approx(2 * 1.959964 * spread)
    assert schnabel(samples).rows == pytest.approx(1_000)
    assert schnabel(samples).low == pytest.approx(1 / (1 / 1_000 + 1.959964 * math.sqrt(50) / 50_000))


def test_the_command_prints_a_line_for_each_estimator(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.coverage.SLICES", (200,))
    monkeypatch.setattr(sys, "argv", ["coverage", "--seeds", "20"])
    main()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| 200")]
    assert len(lines) == 4 * len(ESTIMATORS)
    assert all(line.count("|") == 10 for line in lines)
    assert len(table({}).splitlines()) == 2
