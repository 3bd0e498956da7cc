"""The measurement of the model measures what it says."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bench.honesty import Collection, collect, report
from bench.models import CLASSES, chosen, contestants, line_of, measure, on_other_splits, plain
from bench.splits import sides, split, stratified
from source.simulator.synthetic import generate
from tests.lake.landed import side
from training.fit.rows import Rows
from training.judge.scores import Interval

pytestmark = pytest.mark.longest

ROWS = generate(2_000, seed=3)


@pytest.fixture(scope="module")
def golds() -> tuple[Rows, Rows]:
    return split(ROWS)


def test_the_sides_are_golds(golds: tuple[Rows, Rows]) -> None:
    train, test = golds
    distinct = set(zip(*ROWS.to_pydict().values(), strict=True))
    assert len(train) + len(test) == len(distinct)
    assert len(test) == sum(side(row[:-1]) == "test" for row in distinct)


def test_a_stratified_split_has_each_class_on_both_sides_by_its_share() -> None:
    train, test = stratified(ROWS)
    assert (len(train), len(test)) == (1_600, 400)
    shares = [np.bincount(rows.labels, minlength=CLASSES) / len(rows) for rows in (train, test)]
    np.testing.assert_allclose(*shares, atol=1 / 400)
    assert sorted(cells(train) + cells(test)) == sorted(zip(*ROWS.to_pydict().values(), strict=True))


def test_each_kind_has_its_own_splits_and_the_first_is_the_published_one() -> None:
    for is_stratified, published in ((False, split(ROWS)), (True, stratified(ROWS))):
        for number, is_same in ((0, True), (1, False)):
            train, _ = sides(ROWS, is_stratified, number)
            assert (cells(train) == cells(published[0])) is is_same


def cells(rows: Rows) -> list[tuple[str, ...]]:
    """Each row as the file has it."""
    columns = [values[:, 0] for values in rows.features.values()]
    return [tuple(map(str, line)) for line in zip(*columns, rows.labels, strict=True)]


def test_everybody_is_measured_and_the_usual_way_reports_too_much(golds: tuple[Rows, Rows]) -> None:
    known = contestants(rounds=3, seed=1)
    assert len(known) == 10
    outcomes = [measure(known[place], *golds, seed=1) for place in (0, 1, 3, -1)]
    for outcome in outcomes:
        assert 0 < outcome.macro_f1 <= 1
        assert 0 < outcome.accuracy <= 1
        assert outcome.fit_s > 0
        assert outcome.megabytes > 0
        assert outcome.row_ms > 0
        assert re.fullmatch(
            r"\| .+ \| 0\.\d{4} \| 0\.\d{4} \| .+ s \| \d+ MB \| [\d.]+ ms \|", line_of(outcome)
        )
    usual, ours = outcomes[-1], outcomes[0]
    assert usual.reported - usual.true > 0.1
    assert usual.reported - usual.true > abs(ours.reported - ours.true)


def test_other_salts_are_other_splits_and_each_is_scored(golds: tuple[Rows, Rows]) -> None:
    (table,) = chosen(contestants(rounds=3, seed=1), ["eight derived"])
    other = split(ROWS, "canopy-2")
    assert len(other[0]) + len(other[1]) == len(golds[0]) + len(golds[1])
    line = on_other_splits(table, [golds, other])
    mean, first, second, _ = map(float, re.findall(r"0\.\d{4}", line))
    assert first != second
    assert mean == pytest.approx((first + second) / 2, abs=1e-4)
    with pytest.raises(SystemExit, match="names none of"):
        chosen(contestants(rounds=3, seed=1), ["CatBoost"])


def test_label_encoders_number_the_categories(golds: tuple[Rows, Rows]) -> None:
    matrix = plain(golds[0])
    assert matrix.shape == (len(golds[0]), 12)
    assert len(np.unique(matrix[:, -1])) == len(np.unique(golds[0].features["soil_type"]))
    assert golds[0].labels.max() < CLASSES


def test_a_collection_is_compared_with_what_it_was_never_served(tmp_path) -> None:
    one = collect(generate(8_000, seed=4), seed=1, trees=10, home=tmp_path)
    assert 450 <= one.distinct_rows <= 560  # 65 % of a slice of 800
    assert one.reported.low < one.true < one.reported.high
    assert one.naive.value > one.true


def test_the_report_counts_how_often_each_interval_held() -> None:
    holds = Collection(100, Interval(0.5, 0.4, 0.6), Interval(0.8, 0.7, 0.9), 0.55)
    fails = Collection(100, Interval(0.5, 0.4, 0.6), Interval(0.8, 0.7, 0.9), 0.72)
    text = report([holds, holds, fails])
    assert text.splitlines()[-1] == "Of 3 the reported interval held 2, the naive one 1."
    assert "| mean | 100 | 0.500 | 0.607 | | 0.800 | |" in text
    assert "| 1 | 100 | 0.500 [0.400, 0.600] | 0.550 | yes | 0.800 [0.700, 0.900] | no |" in text
