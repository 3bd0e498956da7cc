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


@given(SIZES, st.data())
def test_the_more_of_the_rows_are_new_the_more_there_are_and_the_less_was_seen(
    sizes: list[int], data: st.DataObject
) -> None:
    fewer = data.draw(st.integers(max(sizes), sum(sizes) - 1))
    more = data.draw(st.integers(fewer, sum(sizes) - 1))
    one, other = coverage(sizes, fewer), coverage(sizes, more)
    assert one.estimated_rows is not None
    assert other.estimated_rows is not None
    assert one.estimated_rows <= other.estimated_rows * (1 + 1e-9)
    # Estimates are whole rows: of two that are next to each other either may be rounded.
    assert (one.share or 0.0) >= (other.share or 0.0) - 1 / other.estimated_rows


@given(SIZES, st.data())
def test_more_confidence_takes_a_wider_interval(sizes: list[int], data: st.DataObject) -> None:
    distinct = data.draw(st.integers(max(sizes), sum(sizes)))
    some, more = (coverage(sizes, distinct, confidence=confidence) for confidence in (0.8, 0.99))
    assert (more.estimated_rows_low or 0.0) <= (some.estimated_rows_low or 0.0) * (1 + 1e-9)
    assert (more.estimated_rows_high or math.inf) >= (some.estimated_rows_high or math.inf) * (1 - 1e-9)


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
    # With fewer rows than that more than 4.8 are expected twice: none would be met 1 % of the time.
    assert found.estimated_rows_low == pytest.approx(581**2 / 4.8, rel=0.05)


@pytest.mark.parametrize(("rows", "size"), [(2, 1), (10, 1), (50, 5), (100, 10), (3_000, 10)])
@pytest.mark.parametrize("responses", [2, 3, 5, 10, 28])
def test_the_interval_holds_the_truth_where_hardly_a_row_is_seen_twice(
    rows: int, size: int, responses: int
) -> None:
    draw = np.random.default_rng(responses)
    found = [coverage([size] * responses, _seen(draw, rows, size, responses)) for _ in range(200)]
    held = sum(one.estimated_rows_low <= rows <= (one.estimated_rows_high or math.inf) for one in found)
    assert held >= 0.92 * len(found)


def test_two_samples_give_lincoln_and_petersen() -> None:
    assert coverage([500, 400], 850).estimated_rows == pytest.approx(500 * 400 / 50)


def test_large_numbers_keep_their_digits() -> None:
    found = coverage([1_000_000, 1_000_000], 1_999_000)
    assert found.estimated_rows == pytest.approx(1e9, rel=1e-3)
    assert found.estimated_rows_low == pytest.approx(1e9 / (1 + 1.96 / math.sqrt(1_000)), rel=0.01)


@pytest.mark.parametrize("size", [10, 58, 581, 5_810])
@pytest.mark.parametrize("equal_rows", [0.0, 0.02])
@pytest.mark.parametrize("responses", [[5, 5], [29, 2, 1], [1, 1, 8, 1], [12, 5, 12]])
def test_what_a_deployment_resamples_shows_in_the_overlap_between_batches(
    size: int, equal_rows: float, responses: list[int]
) -> None:
    numbers = [number for number, count in enumerate(responses, start=1) for _ in range(count)]
    for seed in range(10):
        assert resampled(*_deployment(seed, size, numbers, equal_rows, is_by_batch=False)) == "group"
        found = resampled(*_deployment(seed, size, numbers, equal_rows, is_by_batch=True))
        # Small samples may leave it open; they are never wrong.
        assert found == "batch" or (size <= 58 and found is None)


@pytest.mark.parametrize("times", [2, 10, 100])
def test_no_answer_is_ever_wrong_however_little_there_is_to_tell_it_by(times: int) -> None:
    for seed in range(200):
        numbers = [1, 1, 2] if seed % 2 else [1, 2, 3, 3, 4]
        for equal_rows in (0.0, 0.02):
            group = _deployment(seed, 10, numbers, equal_rows, is_by_batch=False, times=times)
            batch = _deployment(seed, 10, numbers, equal_rows, is_by_batch=True, times=times)
            assert resampled(*group) in ("group", None)
            assert resampled(*batch) in ("batch", None)


@pytest.mark.parametrize("is_by_batch", [True, False])
def test_numbers_that_come_again_after_a_restart_change_nothing(is_by_batch: bool) -> None:
    numbers = [1, 1, 1, 2, 2, 3, 4, 4, 4, 1, 1, 2, 3, 3, 1]
    for seed in range(10):
        found = resampled(*_deployment(seed, 581, numbers, 0.01, is_by_batch=is_by_batch))
        assert found == ("batch" if is_by_batch else "group")


def test_one_batch_tells_nothing_and_single_responses_without_overlap_neither() -> None:
    assert resampled([], 0) is None
    assert resampled([BatchSamples(1, (581, 581), 1_100)], 1_100) is None
    assert resampled([BatchSamples(1, (581,), 581), BatchSamples(2, (581,), 581)], 1_162) is None


def _seen(draw: np.random.Generator, rows: int, size: int, responses: int) -> int:
    """How many rows a real sampling shows."""
    seen = np.zeros(rows, dtype=bool)
    for _ in range(responses):
        seen[draw.choice(rows, size, replace=False)] = True
    return int(seen.sum())


def _deployment(
    seed: int, size: int, numbers: list[int], equal_rows: float, *, is_by_batch: bool, times: int = 10
) -> tuple[list[BatchSamples], int]:
    """Samples of slices so many times as large, one for each batch number in the order of the requests.

    A share of the rows have a twin in their own slice, and where there are several slices, in the others.
    """
    draw = np.random.default_rng(seed)
    rows = size * times
    samples: dict[int, list[np.ndarray]] = {}
    for number in numbers:
        drawn = draw.choice(rows, size, replace=False)
        content = np.where(drawn < equal_rows * rows, drawn // 2, drawn)
        is_own = is_by_batch & (drawn >= equal_rows * rows)
        samples.setdefault(number, []).append(np.where(is_own, content + number * rows, content))
    batches = [
        BatchSamples(number, tuple(map(len, found)), len(np.unique(np.concatenate(found))))
        for number, found in samples.items()
    ]
    return batches, len(np.unique(np.concatenate([row for found in samples.values() for row in found])))
