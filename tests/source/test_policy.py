"""When a group is asked: by its window, the coverage of its rows, the pace and the budget."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lake.bronze.events import Event
from lake.bronze.samples import Sample, Samples
from lake.coverage import Coverage
from source.policy import WINDOW_MARGIN_S, Ask, Decision, Done, Seen, Wait, decide, understand
from source.settings import SourceSettings

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SETTINGS = SourceSettings(
    window_s=300, pace_s=5, requests_per_window=30, target_coverage=0.95, recheck_s=3600
)
WELL_KNOWN = Coverage(30, 5_600, 5_800.0, 5_790.0, 5_810.0, 0.966, 0.964, 0.967)
HALF_KNOWN = Coverage(7, 3_000, 5_800.0, 5_500.0, 6_100.0, 0.517, 0.492, 0.545)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def seen(*kept_s: float, began_s: float | None = None, **found: Any) -> Seen:
    """A group with responses at these seconds, the newest batch first seen at the last or at `began_s`."""
    kept = tuple(after(seconds) for seconds in kept_s)
    began = after(began_s) if began_s is not None else (kept[-1] if kept else None)
    return Seen(kept, 1 if kept else None, began, **{"coverage": HALF_KNOWN, **found})


def decided(now_s: float, what: Seen, **settings: Any) -> Decision:
    return decide(what, SETTINGS.model_copy(update=settings), START, after(now_s))


def test_a_group_that_was_never_asked_is_asked_at_once() -> None:
    assert decided(0, Seen()) == Ask()


def test_rows_that_are_not_covered_are_asked_for_at_the_pace() -> None:
    what = seen(0.0, 5.0, began_s=0.0)
    assert decided(7, what) == Wait(3.0)
    assert decided(10, what) == Ask()


def test_a_group_that_is_covered_is_left_alone_until_its_next_batch() -> None:
    done = decided(10, seen(0.0, 5.0, began_s=0.0, coverage=WELL_KNOWN))
    assert isinstance(done, Done)
    assert "96.6% of about 5,800 rows" in done.reason
    assert "12:05:00" in done.reason


def test_a_new_batch_is_asked_for_even_where_everything_in_reach_is_here() -> None:
    what = seen(-301.0, coverage=WELL_KNOWN)
    assert decided(0, what) == Ask()


def test_a_run_that_comes_a_little_early_waits_for_the_new_batch() -> None:
    what = seen(-298.0, coverage=WELL_KNOWN)
    assert decided(0, what) == Wait(pytest.approx(2 + WINDOW_MARGIN_S))
    assert decided(0, seen(-298.0)) == Wait(pytest.approx(2 + WINDOW_MARGIN_S))


def test_a_run_of_a_source_without_a_window_is_never_told_to_come_back_at_once() -> None:
    what = seen(-0.01, coverage=WELL_KNOWN)
    assert decided(0, what, window_s=0.0) == Wait(pytest.approx(WINDOW_MARGIN_S - 0.01, abs=1e-6))


def test_a_run_in_the_middle_of_a_window_does_not_wait_for_its_end() -> None:
    assert isinstance(decided(0, seen(-100.0, coverage=WELL_KNOWN)), Done)
    assert decided(0, seen(-100.0)) == Ask()


def test_the_budget_counts_every_response_of_the_run_and_no_earlier_one() -> None:
    times = [-200.0, -190.0, *[5.0 * count for count in range(3)]]
    assert isinstance(decided(15, seen(*times, began_s=-200.0), requests_per_window=3), Done)
    assert decided(15, seen(*times, began_s=-200.0), requests_per_window=4) == Ask()


def test_a_run_ends_with_its_window() -> None:
    what = seen(0.0, 299.0, began_s=299.0)
    assert isinstance(decided(300.0, what), Done)


def test_a_run_that_begins_late_still_asks_once() -> None:
    assert decided(400.0, seen(-200.0)) == Ask()


def test_the_end_of_the_data_pauses_a_group_until_it_is_looked_at_again() -> None:
    what = seen(-700.0, ended_at=after(-100.0))
    done = decided(0, what)
    assert isinstance(done, Done)
    assert not done.is_failure
    assert "at its end since 2026-11-23 11:58:20" in done.reason
    assert decided(3501, what) == Ask()


def test_a_failure_ends_the_run_and_not_the_next() -> None:
    what = seen(-700.0, failure=_event("failure", -1.0))
    assert decided(0, what) == Ask()
    assert decided(5, seen(-700.0, failure=_event("failure", 1.0))) == Done("said so", is_failure=True)


def test_the_end_is_over_once_something_lands_or_the_group_is_restarted() -> None:
    ended = _event("end_of_data", -50.0)
    landed = _samples(random.Random(1), [(1, -100.0)])
    assert understand([], landed, ended, SETTINGS).ended_at == after(-50.0)
    assert understand([], _samples(random.Random(1), [(1, -10.0)]), ended, SETTINGS).ended_at is None
    assert understand([], landed, _event("restart", -20.0), SETTINGS).ended_at is None


@pytest.mark.parametrize(("slices_by_batch", "scope"), [(False, "group"), (True, "batch")])
def test_the_rows_in_reach_are_the_groups_or_the_batchs(slices_by_batch: bool, scope: str) -> None:
    polls = [(1, 5.0 * count) for count in range(20)] + [(2, 301.0 + 5 * count) for count in range(3)]
    found = understand([], _samples(random.Random(2), polls, slices_by_batch), None, SETTINGS)
    assert found.scope == scope
    assert found.coverage is not None
    assert found.coverage.requests == (3 if slices_by_batch else 23)
    assert found.batch == 2
    assert found.window_began_at == after(301.0)


def test_with_one_batch_it_is_not_known_yet_what_the_deployment_resamples() -> None:
    found = understand([], _samples(random.Random(3), [(1, 0.0), (1, 5.0)]), None, SETTINGS)
    assert found.scope is None
    assert found.coverage is not None
    assert found.coverage.requests == 2


def test_a_window_also_ends_by_its_length_where_the_number_stays() -> None:
    polls = [(0, 0.0), (0, 150.0), (0, 310.0), (0, 320.0)]
    found = understand([], _samples(random.Random(4), polls), None, SETTINGS)
    assert found.window_began_at == after(310.0)


def _event(kind: Any, at_s: float) -> Event:
    return Event(kind, "covertype", 1, after(at_s), "http://x", "said so")


def _samples(draw: random.Random, polls: list[tuple[int, float]], slices_by_batch: bool = False) -> Samples:
    """Tenths of slices of 2,000 rows, as bronze would show them."""
    landed, contents = [], {}
    for place, (batch, at_s) in enumerate(polls):
        first = batch * 2_000 if slices_by_batch else 0
        contents.setdefault(batch, set()).update(draw.sample(range(first, first + 2_000), 200))
        landed.append(Sample(f"landing-{place}", after(at_s), batch, 200))
    by_batch = tuple((batch, len(rows)) for batch, rows in contents.items())
    return Samples(tuple(landed), len(set().union(*contents.values())), by_batch)
