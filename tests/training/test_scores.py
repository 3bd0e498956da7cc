"""Scores and their intervals."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb
import numpy as np
import pytest
from jinja2 import Environment
from sklearn import metrics

from contracts.covertype import covertype
from training.judge.scores import (
    confusion_matrix,
    log_loss,
    macro_f1,
    macro_f1_difference,
    macro_f1_interval,
    score,
    wilson_interval,
)

MACROS = Path(__file__).parents[2] / "dbt_project" / "macros" / "answers.sql"
NAMES = covertype().class_names
CLASSES = len(NAMES)
SHARES = np.array([0.36, 0.46, 0.07, 0.02, 0.03, 0.03, 0.03])


def drawn(rows: int, right: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.choice(CLASSES, rows, p=SHARES)
    return labels, np.where(random.random(rows) < right, labels, random.choice(CLASSES, rows, p=SHARES))


def certain(predicted: np.ndarray) -> np.ndarray:
    return np.eye(CLASSES, dtype=np.float32)[predicted]


def test_macro_f1_is_scikit_learns() -> None:
    labels, predicted = drawn(5000, 0.7)
    ours = macro_f1(confusion_matrix(labels, predicted, CLASSES))
    assert ours == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))


def test_log_loss_is_scikit_learns() -> None:
    labels, _ = drawn(500, 0.7)
    probabilities = np.random.default_rng(1).dirichlet(np.ones(CLASSES), 500)
    assert log_loss(labels, probabilities) == pytest.approx(metrics.log_loss(labels, probabilities))


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    every_row = drawn(400_000, 0.7, seed=99)
    truth = macro_f1(confusion_matrix(*every_row, CLASSES))
    held = 0
    for seed in range(100):
        interval = macro_f1_interval(confusion_matrix(*drawn(2000, 0.7, seed), CLASSES), draws=400, seed=seed)
        held += interval.low <= truth <= interval.high
    assert 88 <= held <= 100


def test_more_rows_make_the_interval_narrower() -> None:
    few, many = (macro_f1_interval(confusion_matrix(*drawn(rows, 0.7), CLASSES)) for rows in (500, 20_000))
    assert many.high - many.low < (few.high - few.low) / 3
    assert few.low <= few.value <= few.high


def test_a_thousand_draws_of_twenty_thousand_rows_take_less_than_a_second() -> None:
    labels, predicted = drawn(20_000, 0.8)
    started = time.perf_counter()
    macro_f1_interval(confusion_matrix(labels, predicted, CLASSES), draws=1000)
    macro_f1_difference(labels, predicted, labels, CLASSES, draws=1000)
    assert time.perf_counter() - started < 1


def test_the_same_seed_gives_the_same_interval() -> None:
    confusion = confusion_matrix(*drawn(300, 0.7), CLASSES)
    assert macro_f1_interval(confusion, seed=3) == macro_f1_interval(confusion, seed=3)


def test_a_class_without_held_out_rows_is_left_out_and_said() -> None:
    labels, predicted = drawn(800, 0.8)
    seen = labels != 3
    scores = score(labels[seen], predicted[seen], certain(predicted[seen]), NAMES)
    assert scores.classes[3].recall is None
    assert any("Cottonwood/Willow has no held-out row" in note for note in scores.notes)
    per_class = metrics.f1_score(labels[seen], predicted[seen], average=None, labels=range(CLASSES))
    assert scores.macro_f1.value == pytest.approx(np.delete(per_class, 3).mean())


def test_a_wide_interval_is_said() -> None:
    few, many = (drawn(rows, 0.8) for rows in (100, 50_000))
    assert any("known to" in note for note in score(*few, certain(few[1]), NAMES).notes)
    assert score(*many, certain(many[1]), NAMES).notes == ()


def test_a_class_with_few_held_out_rows_is_named_with_what_its_recall_is_known_to() -> None:
    labels, predicted = drawn(20_000, 0.8)
    rare = np.flatnonzero(labels == 3)[:5]
    kept = np.concatenate([np.flatnonzero(labels != 3), rare])
    scores = score(labels[kept], predicted[kept], certain(predicted[kept]), NAMES)
    recall = scores.classes[3].recall
    said = f"few held-out rows of Cottonwood/Willow 5 (recall known to {recall.high - recall.low:.2f})"
    assert said in scores.notes


def test_the_interval_in_sql_is_the_one_in_python() -> None:
    macros = Environment().from_string(MACROS.read_text(encoding="utf-8")).module
    bounds = ", ".join(macros.wilson("found", "rows", side) for side in (-1, 1))
    counts = [(found, rows) for rows in range(1, 40) for found in range(rows + 1)]
    values = ", ".join(map(str, [*counts, (1, 581_012), (436_000, 581_012)]))
    cells = (
        f"select found::bigint as found, rows::bigint as rows from (values {values}) as cells(found, rows)"
    )
    asked = duckdb.sql(f"select found, rows, {bounds} from ({cells})").fetchall()
    assert len(asked) == len(counts) + 2
    for found, rows, *interval in asked:
        own = wilson_interval(found, rows)
        assert own is not None
        assert interval == pytest.approx([own.low, own.high], rel=1e-12, abs=1e-15)


def test_recall_comes_with_wilsons_interval() -> None:
    interval = wilson_interval(9, 10)
    assert (interval.value, interval.low, interval.high) == pytest.approx((0.9, 0.5958, 0.9821), abs=1e-4)
    assert wilson_interval(0, 0) is None


def test_equal_models_differ_by_nothing() -> None:
    labels, predicted = drawn(1000, 0.7)
    difference = macro_f1_difference(labels, predicted, predicted, CLASSES)
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_pairing_sees_a_difference_that_two_intervals_would_hide() -> None:
    labels, champion = drawn(3000, 0.7)
    mended = np.flatnonzero(labels != champion)[::12]
    challenger = champion.copy()
    challenger[mended] = labels[mended]
    difference = macro_f1_difference(labels, challenger, champion, CLASSES)
    apart = [
        macro_f1_interval(confusion_matrix(labels, answers, CLASSES)) for answers in (challenger, champion)
    ]
    assert difference.low > 0
    assert apart[0].low < apart[1].high
    reverse = macro_f1_difference(labels, champion, challenger, CLASSES)
    assert reverse.value == pytest.approx(-difference.value)
