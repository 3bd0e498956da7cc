"""What a challenger must show by itself, whoever is champion."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from contracts.covertype import Contract
from contracts.model_artefact import Tag
from training.fit.artefact import Artefact, reproduces
from training.fit.features import compute_features
from training.fit.rows import Rows, TrainingSet
from training.judge.criterion import Criterion, at_least, at_most, equal
from training.judge.scores import confusion_matrix, macro_f1, wilson_interval
from training.report.provenance import digest_labels, digest_rows
from training.settings import TrainingSettings

SAMPLE, ASKED_ALONE, LATENCY_CALLS = 500, 50, 50
MEMORY_SAMPLE = 20_000
# From above it, a model has memorized its rows, and must do worse on others.
MEMORIZED_ACCURACY = 0.99
EASY_LEAF_ROWS, EASY_PURITY, EASY_SHARE, EASY_LEAST = 40, 0.98, 0.9, 20
ELEVATIONS = tuple(range(2000, 3601, 200))
RISES = 0.7


def probe(
    artefact: Artefact,
    tags: Mapping[str, str],
    rows: TrainingSet,
    contract: Contract,
    settings: TrainingSettings,
) -> list[Criterion]:
    """Returns all criteria that need no champion; the golden requests come first.

    Args:
        artefact: The challenger, as the registry gives it back.
        tags: What its version says of itself.
        rows: Both sides of the split, at the snapshot that it learned from.
        contract: Of the data.
        settings: Limits and seed.
    """
    is_golden = reproduces(artefact, artefact.golden, contract)
    says = f"it {'answers' if is_golden else 'does not answer'} its golden requests as recorded"
    golden = equal("golden", is_golden, says)
    if not golden.passed:
        return [golden]
    answers = artefact.answer(rows.test.features)
    sample = _sample(rows.test, SAMPLE, settings.seed)
    return [
        golden,
        _parity(answers.labels, tags),
        _same_rows(rows, tags),
        _not_memorized(artefact, answers.labels, rows, settings.seed),
        _beats_majority(answers.labels, rows, len(contract.class_names)),
        _order(artefact, sample),
        _easy(answers.labels, rows, settings.seed),
        _elevation(artefact, sample, rows.train, len(contract.class_names)),
        _size(artefact, settings.maximum_megabytes),
        _latency(artefact, sample, settings.maximum_latency_ms),
    ]


def latency_ms(artefact: Artefact, rows: Rows, calls: int = LATENCY_CALLS) -> float:
    """Returns what one row takes, in milliseconds: the median of single calls."""
    alone = [rows.at(np.array([number % len(rows)])).features for number in range(calls)]
    artefact.answer(alone[0])
    taken = []
    for features in alone:
        began = time.perf_counter()
        artefact.answer(features)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken) * 1000)


def _parity(labels: NDArray[np.int64], tags: Mapping[str, str]) -> Criterion:
    is_equal = digest_labels(labels) == tags.get(Tag.ANSWERS_DIGEST)
    says = "it answers the held-out rows" + (
        " as the library did that it was grown with" if is_equal else " otherwise than when it was trained"
    )
    return equal("parity", is_equal, says)


def _same_rows(rows: TrainingSet, tags: Mapping[str, str]) -> Criterion:
    """Checks that it says to have learned from gold's train side, and to have been tested on the other."""
    wrong = [
        side
        for side, side_rows in (("train", rows.train), ("test", rows.test))
        if tags.get(f"{side}_digest") != digest_rows(side_rows)
    ]
    snapshot = rows.publication.snapshot_id
    says = f"its rows are not those of gold's {' and '.join(wrong)} side at snapshot {snapshot}"
    return equal("rows", not wrong, says if wrong else "it learned from gold's train side")


def _not_memorized(artefact: Artefact, labels: NDArray[np.int64], rows: TrainingSet, seed: int) -> Criterion:
    """Checks that it does worse on held-out rows than on those that it has memorized, if it has.

    Whatever its tags say: a model that has learned from the held-out rows too knows them as well.
    """
    known = _sample(rows.train, MEMORY_SAMPLE, seed)
    right_known = int(np.sum(artefact.answer(known.features).labels == known.labels))
    in_train = right_known / len(known)
    in_test = wilson_interval(int(np.sum(labels == rows.test.labels)), len(labels))
    value = in_train - (in_test.high if in_test else 1.0)
    is_leak = in_train >= MEMORIZED_ACCURACY and value <= 0
    reached = in_test.value if in_test else 0.0
    says = f"accuracy {in_train:.4f} on rows to train on and {reached:.4f} on held-out rows"
    if is_leak:
        says = f"it has memorized the held-out rows: {says}"
    return Criterion("memory", not is_leak, value, 0.0, says)


def _beats_majority(labels: NDArray[np.int64], rows: TrainingSet, n_classes: int) -> Criterion:
    frequent = np.full(len(labels), np.bincount(rows.train.labels).argmax())
    ours, simple = (
        float(macro_f1(confusion_matrix(rows.test.labels, predicted, n_classes)))
        for predicted in (labels, frequent)
    )
    says = f"macro-F1 {ours:.4f}, and {simple:.4f} by always saying the most frequent class"
    return Criterion("baseline", ours > simple, ours, simple, says)


def _order(artefact: Artefact, sample: Rows) -> Criterion:
    """Checks that a row is answered alike alone, and among others in whatever order."""
    together = artefact.answer(sample.features)
    backwards = np.arange(len(sample))[::-1]
    turned = artefact.answer(sample.at(backwards).features)
    differs = (turned.probabilities[backwards] != together.probabilities).any(axis=1)
    differs |= turned.labels[backwards] != together.labels
    for position in range(min(ASKED_ALONE, len(sample))):
        alone = artefact.answer(sample.at(np.array([position])).features)
        differs[position] |= not np.array_equal(alone.probabilities[0], together.probabilities[position])
    count = int(differs.sum())
    says = f"{count} of {len(sample)} rows are answered otherwise alone or in another order"
    return at_most("order", count, 0, says)


def _easy(labels: NDArray[np.int64], rows: TrainingSet, seed: int) -> Criterion:
    """Checks that it is right where a tree of a page is sure and right."""
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(min_samples_leaf=EASY_LEAF_ROWS, random_state=seed)
    tree.fit(compute_features(rows.train.features), rows.train.labels)
    matrix = compute_features(rows.test.features)
    is_sure = tree.predict_proba(matrix).max(axis=1) >= EASY_PURITY
    easy = np.flatnonzero(is_sure & (tree.predict(matrix) == rows.test.labels))
    if len(easy) < EASY_LEAST:
        return Criterion("easy", True, None, EASY_SHARE, f"only {len(easy)} held-out rows are easy")
    right = wilson_interval(int(np.sum(labels[easy] == rows.test.labels[easy])), len(easy))
    reached = right.high if right else 0.0  # a few rows may miss it by chance
    says = f"right on {right.value if right else 0:.1%} of {len(easy)} easy rows, at best {reached:.1%}"
    return at_least("easy", reached, EASY_SHARE, says)


def _elevation(artefact: Artefact, sample: Rows, train: Rows, n_classes: int) -> Criterion:
    """Checks that what it expects rises with the cell.

    Each class has a mean elevation in the rows to train on. The same cells are moved up step by step, and
    the mean elevation of the classes that are expected has to rise along.
    """
    from scipy.stats import spearmanr

    rows_of = np.bincount(train.labels, minlength=n_classes)
    heights = np.bincount(train.labels, train.features["elevation_m"][:, 0], n_classes) / np.maximum(
        rows_of, 1
    )
    expected = []
    for elevation in ELEVATIONS:
        moved = dict(sample.features) | {"elevation_m": np.full((len(sample), 1), elevation, dtype=np.int64)}
        expected.append(float((artefact.answer(moved).probabilities @ heights).mean()))
    correlation = 0.0 if np.ptp(expected) == 0 else float(spearmanr(ELEVATIONS, expected).statistic)
    says = (
        f"from {ELEVATIONS[0]} to {ELEVATIONS[-1]} m the expected classes go from {expected[0]:.0f} to "
        f"{expected[-1]:.0f} m, rank correlation {correlation:.2f}"
    )
    return at_least("elevation", correlation, RISES, says)


def _size(artefact: Artefact, limit: float) -> Criterion:
    says = f"{artefact.megabytes:.1f} MB, at most {limit:g} are allowed"
    return at_most("size", artefact.megabytes, limit, says)


def _latency(artefact: Artefact, sample: Rows, limit: float) -> Criterion:
    taken = latency_ms(artefact, sample)
    return at_most("latency", taken, limit, f"{taken:.2f} ms a row, at most {limit:g} are allowed")


def _sample(rows: Rows, count: int, seed: int) -> Rows:
    if len(rows) <= count:
        return rows
    return rows.at(np.sort(np.random.default_rng(seed).choice(len(rows), count, replace=False)))
