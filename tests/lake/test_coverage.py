"""The number of rows that samples come from, estimated from how far they overlap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.coverage import BatchSamples, coverage, resampled

SIZES = st.lists(st.integers(1, 10_000), min_size=2, max_size=40)


@pytest.mark.parametrize(
    ("rows", "size", "responses"), [(58_100, 5_810, 5), (11_620, 1_162, 10), (1_000, 100, 28), (100, 10, 10)]
)
def test_the_estimate_is_near_the_truth_and_its_interval_holds_it_as_often_as_it_says(
    rows: int, size: int, responses: int
) -> None:
    found = [_seen(np.random.default_rng(seed), rows, size, responses) for seed in range(60)]
    shares = [coverage([size] * responses, distinct) for distinct in found]
    held = sum(one.estimated_rows_low <= rows <= (one.estimated_rows_high or math.inf) for one in shares)
    assert held >= 0.9 * len(found)
    assert np.median([one.estimated_rows for one in shares]) == pytest.approx(rows, rel=0.05)
    assert np.median([one.share for one in shares]) == pytest.approx(1 - 0.9**responses, rel=0.05)


@given(SIZES, st.data())
def test_an_estimate_lies_in_its_interval_and_no_lower_than_what_was_seen(
    sizes: list[int], data: st.DataObject
) -> None:
    distinct = data.draw(st.integers(max(sizes), sum(sizes)))
    found = coverage(sizes, distinct)
    low, high = found.estimated_rows_low, found.estimated_rows_high
    assert low is not None
    assert low >= distinct
    if found.estimated_rows is None:
        assert distinct == sum(sizes)
        assert high is None
        assert found.share is None
        return
    assert low <= found.estimated_rows * (1 + 1e-9)
    assert high is None or found.estimated_rows <= high * (1 + 1e-9)
    assert found.share is not None
    assert 0 < found.share <= 1


@given(st.integers(1, 1_000_000), st.integers(2, 10))
def test_samples_that_are_all_the_same_are_all_there_is(rows: int, responses: int) -> None:
    found = coverage([rows] * responses, rows)
    assert (found.estimated_rows, found.share) == (rows, 1.0)


@pytest.mark.parametrize("sizes", [[], [5], [5, 0]])
def test_one_sample_says_nothing_of_the_rest(sizes: list[int]) -> None:
    found = coverage(sizes, sum(sizes))
    assert (found.requests, found.distinct_rows) == (len(sizes), sum(sizes))
    assert (found.estimated_rows, found.estimated_rows_low, found.share) == (None, None, None)


def test_samples_that_share_no_row_give_a_lower_end_only() -> None:
    found = coverage([581, 581], 1_162)
    assert (found.estimated_rows, found.estimated_rows_high, found.share_low) == (None, None, None)
    assert found.estimated_rows_low is not None
    # 581² / 3.84: with fewer rows than that the expected overlap is beyond what chance hides.
    assert found.estimated_rows_low == pytest.approx(581**2 / 1.96**2, rel=0.05)


def test_two_samples_give_lincoln_and_petersen() -> None:
    assert coverage([500, 400], 850).estimated_rows == pytest.approx(500 * 400 / 50)


def test_large_numbers_keep_their_digits() -> None:
    found = coverage([1_000_000, 1_000_000], 1_999_000)
    assert found.estimated_rows == pytest.approx(1e9, rel=1e-3)
    assert found.estimated_rows_low == pytest.approx(1e9 / (1 + 1.96 / math.sqrt(1_000)), rel=0.01)


@pytest.mark.parametrize("size", [10, 58, 581, 5_810])
@pytest.mark.parametrize("equal_by_chance", [0.0, 0.02])
@pytest.mark.parametrize("responses", [[5, 5], [29, 2, 1], [1, 1, 8, 1], [12, 5, 12]])
def test_what_a_deployment_resamples_shows_in_the_overlap_between_batches(
    size: int, equal_by_chance: float, responses: list[int]
) -> None:
    for seed in range(10):
        group = _deployment(seed, size, responses, 0.0, is_by_batch=False)
        batch = _deployment(seed, size, responses, equal_by_chance, is_by_batch=True)
        assert resampled(*group) == "group"
        # Small samples may leave it open; they are never wrong.
        assert resampled(*batch) == "batch" or (size <= 58 and resampled(*batch) is None)


def test_one_batch_tells_nothing_and_single_responses_without_overlap_neither() -> None:
    assert resampled([], 0) is None
    assert resampled([BatchSamples(1, (581, 581), 1_100)], 1_100) is None
    assert resampled([BatchSamples(1, (581,), 581), BatchSamples(2, (581,), 581)], 1_162) is None


def test_numbers_that_come_again_after_a_restart_are_one_batch_each() -> None:
    batches, distinct = _deployment(3, 581, [6, 6, 1], 0.0, is_by_batch=False)
    assert resampled(batches, distinct) == "group"


def _seen(draw: np.random.Generator, rows: int, size: int, responses: int) -> int:
    """How many rows a real sampling shows."""
    seen = np.zeros(rows, dtype=bool)
    for _ in range(responses):
        seen[draw.choice(rows, size, replace=False)] = True
    return int(seen.sum())


def _deployment(
    seed: int, size: int, responses: list[int], equal_by_chance: float, *, is_by_batch: bool
) -> tuple[list[BatchSamples], int]:
    """Samples of a tenth of a slice; some rows of each slice are equal to rows of the others."""
    draw = np.random.default_rng(seed)
    rows = size * 10
    batches, everything = [], set()
    for number, count in enumerate(responses, start=1):
        samples = []
        for _ in range(count):
            drawn = draw.choice(rows, size, replace=False)
            is_own = is_by_batch & (drawn >= equal_by_chance * rows)
            samples.append({int(row) for row in np.where(is_own, drawn + number * rows, drawn)})
        union = set().union(*samples)
        batches.append(BatchSamples(number, tuple(map(len, samples)), len(union)))
        everything |= union
    return batches, len(everything)
