"""How good the model is, and how honest: `python -m bench.models`.

One session, the same rows for everybody: 80 % of the survey's distinct rows, by gold's own split or by
scikit-learn's stratified one, and the other 20 %, which nobody sees before the end. Each contestant learns
from the 80 % and is scored on the 20 %. Then each reports a figure of its own from the 80 % alone, as they
land: a random number of times, one to three. What it reports is compared with what the very same model
scores on the 20 %.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.splits import TEST_PERCENT, sides
from contracts.covertype import covertype
from source.simulator.rows import read_rows
from source.simulator.synthetic import generate
from training.fit.artefact import Artefact, build_model
from training.fit.candidates import CANDIDATES
from training.fit.candidates.candidate import FitInput
from training.fit.features import SPACE, compute_features
from training.fit.rows import Rows
from training.judge.scores import confusion_matrix, macro_f1

BESIDE = Path(__file__).parents[2] / "shared" / "data" / "covertype.parquet"
CLASSES = len(covertype().class_names)
LANDED_AT_MOST = 3
CALLS = 60

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Fitted:
    """A model that answers rows, and what it weighs."""

    predict: Callable[[Rows], Labels]
    megabytes: float


@dataclass(frozen=True)
class Contestant:
    """A way to a model.

    Attributes:
        name: For people.
        fit: How it learns from rows.
        is_random_split: Whether it splits landed rows at random, as is usual, or distinct rows by content.
    """

    name: str
    fit: Callable[[Rows], Fitted]
    is_random_split: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of one contestant."""

    name: str
    macro_f1: float
    accuracy: float
    reported: float
    true: float
    fit_s: float
    megabytes: float
    row_ms: float


def plain(rows: Rows) -> NDArray[np.float32]:
    """Returns the twelve columns, categories as their position: label encoders."""
    columns = []
    for column in covertype().features:
        values = rows.features[column.name][:, 0]
        known = sorted(column.values)
        columns.append(np.searchsorted(known, values.astype(str)) if column.kind == "string" else values)
    return np.column_stack(columns).astype(np.float32)


def of_canopy(name: str, seed: int) -> Contestant:
    """Returns a candidate of the pipeline, as the ONNX artefact that answers."""
    candidate = CANDIDATES[name]

    def fit(rows: Rows) -> Fitted:
        fit_input = FitInput(compute_features(rows.features), rows.labels, CLASSES, seed=seed, n_jobs=2)
        fitted = candidate.fit(fit_input, candidate.parameters())
        artefact = Artefact(build_model(fitted.ensemble(), covertype()).SerializeToString())
        return Fitted(lambda asked: artefact.answer(asked.features).labels, artefact.megabytes)

    return Contestant(f"**Canopy: {name}**", fit)


def of_library(name: str, make: Callable[[], Any], *, is_random_split: bool = False) -> Contestant:
    """Returns an estimator with scikit-learn's interface on the plain columns, kept as a pickle."""

    def fit(rows: Rows) -> Fitted:
        estimator = make().fit(plain(rows), rows.labels)
        megabytes = len(pickle.dumps(estimator)) / 1e6
        return Fitted(lambda asked: np.asarray(estimator.predict(plain(asked))), megabytes)

    return Contestant(name, fit, is_random_split)


class _Derived:
    """An estimator that is given the eight derived distances too, as the model of before had them."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def fit(self, matrix: NDArray[np.float32], labels: Labels) -> _Derived:
        self._estimator.fit(_derived(matrix), labels)
        return self

    def predict(self, matrix: NDArray[np.float32]) -> Labels:
        predicted: Labels = self._estimator.predict(_derived(matrix))
        return predicted


def _derived(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    names = [column.name for column in covertype().features]
    elevation, across, above, roads, fire = (matrix[:, names.index(name)] for name in SPACE)
    pairs = ((across, roads), (across, fire), (roads, fire))
    derived = [elevation - above, np.hypot(across, above)]
    derived += [value for one, other in pairs for value in (one + other, one - other)]
    return np.column_stack([matrix, *derived])


def contestants(rounds: int, seed: int) -> list[Contestant]:
    """Returns everybody; boosting goes over so many rounds."""
    ensemble = import_module("sklearn.ensemble")
    lightgbm, xgboost = import_module("lightgbm"), import_module("xgboost")
    forest: Mapping[str, Any] = {"n_jobs": 2, "random_state": seed}
    return [
        of_canopy("extra_trees", seed),
        of_library(
            "ExtraTrees 200, eight derived distances, 10 columns a split",
            lambda: _Derived(ensemble.ExtraTreesClassifier(200, max_features=10, **forest)),
        ),
        of_library(
            f"LightGBM, {rounds} rounds of 127 leaves",
            # Without a penalty its leaves run away: 0.35.
            lambda: lightgbm.LGBMClassifier(
                n_estimators=rounds, num_leaves=127, reg_lambda=5, n_jobs=2, verbosity=-1
            ),
        ),
        of_library("LightGBM, defaults", lambda: lightgbm.LGBMClassifier(n_jobs=2, verbosity=-1)),
        of_library(
            f"XGBoost, {rounds} rounds, depth 10",
            lambda: xgboost.XGBClassifier(n_estimators=rounds, max_depth=10, n_jobs=2),
        ),
        of_library("XGBoost, defaults", lambda: xgboost.XGBClassifier(n_jobs=2)),
        of_library("scikit-learn: ExtraTrees, defaults", lambda: ensemble.ExtraTreesClassifier(**forest)),
        of_library("scikit-learn: RandomForest, defaults", lambda: ensemble.RandomForestClassifier(**forest)),
        of_library(
            "scikit-learn: HistGradientBoosting, defaults",
            lambda: ensemble.HistGradientBoostingClassifier(random_state=seed),
        ),
        of_library(
            "the usual way: label encoders, random split, random forest",
            lambda: ensemble.RandomForestClassifier(**forest),
            is_random_split=True,
        ),
    ]


def chosen(known: list[Contestant], parts: Sequence[str]) -> list[Contestant]:
    """Returns those whose name has one of the parts in it."""
    found = [one for one in known if any(part.lower() in one.name.lower() for part in parts)]
    if not found:
        raise SystemExit(f"--only {' '.join(parts)} names none of: {', '.join(one.name for one in known)}")
    return found


def measure(contestant: Contestant, train: Rows, test: Rows, seed: int) -> Outcome:
    """Scores a contestant, and what it says of itself."""
    began = time.perf_counter()
    fitted = contestant.fit(train)
    fit_s = time.perf_counter() - began
    confusion = confusion_matrix(test.labels, fitted.predict(test), CLASSES)
    alone = [test.at(np.array([place])) for place in range(min(CALLS, len(test)))]
    taken = []
    for row in alone:
        began = time.perf_counter()
        fitted.predict(row)
        taken.append(time.perf_counter() - began)
    reported, true = honesty(contestant, train, test, seed)
    return Outcome(
        name=contestant.name,
        macro_f1=float(macro_f1(confusion)),
        accuracy=float(np.trace(confusion) / confusion.sum()),
        reported=reported,
        true=true,
        fit_s=fit_s,
        megabytes=fitted.megabytes,
        row_ms=float(np.median(taken) * 1000),
    )


def honesty(contestant: Contestant, train: Rows, unseen: Rows, seed: int) -> tuple[float, float]:
    """Returns what a contestant reports of a model from the rows to train on alone, and what is true of
    it."""
    random = np.random.default_rng(seed)
    if contestant.is_random_split:
        landed = np.repeat(np.arange(len(train)), random.integers(1, LANDED_AT_MOST + 1, len(train)))
        is_test = random.random(len(landed)) < TEST_PERCENT / 100
        learn, report = landed[~is_test], landed[is_test]
    else:
        is_test = random.random(len(train)) < TEST_PERCENT / 100  # the order is that of a hash
        learn, report = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    fitted = contestant.fit(train.at(learn))
    figures = (
        float(macro_f1(confusion_matrix(rows.labels, fitted.predict(rows), CLASSES)))
        for rows in (train.at(report), unseen)
    )
    return next(figures), next(figures)


def on_other_splits(contestant: Contestant, splits: Sequence[tuple[Rows, Rows]]) -> str:
    """Returns a row of the second table: one contestant on several splits, each learned anew."""
    figures = []
    for train, test in splits:
        confusion = confusion_matrix(test.labels, contestant.fit(train).predict(test), CLASSES)
        figures.append((float(macro_f1(confusion)), np.trace(confusion) / confusion.sum()))
    f1, accuracy = np.transpose(figures)
    each = ", ".join(f"{one:.4f}" for one in f1)
    return f"| {contestant.name} | **{f1.mean():.4f}** | {each} | **{accuracy.mean():.4f}** |"


def line_of(outcome: Outcome) -> str:
    """Returns a row of the table."""
    return (
        f"| {outcome.name} | {outcome.macro_f1:.4f} | {outcome.accuracy:.4f} | "
        f"{outcome.reported:.3f} − {outcome.true:.3f} = {outcome.reported - outcome.true:+.3f} | "
        f"{outcome.fit_s:.0f} s | {outcome.megabytes:.0f} MB | {outcome.row_ms:.2f} ms |"
    )


def main() -> None:
    """Measures everybody and prints the table."""
    parser = argparse.ArgumentParser(description="How good the model is, and how honest.")
    parser.add_argument("--rows", type=Path, help="real rows (docs/files.md); else they are synthetic")
    parser.add_argument("--rounds", type=int, default=600, help="of boosting")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--stratified", action="store_true", help="a stratified split, not gold's")
    parser.add_argument("--splits", type=int, default=1, help="on so many splits instead, and only scores")
    parser.add_argument("--only", nargs="+", default=[""], help="contestants whose name has one of these")
    arguments = parser.parse_args()
    path = arguments.rows or (BESIDE if BESIDE.exists() else None)
    rows = read_rows(path) if path else generate(116_203, seed=31)
    known = chosen(contestants(arguments.rounds, arguments.seed), arguments.only)
    if arguments.splits > 1:
        splits = [sides(rows, arguments.stratified, number) for number in range(arguments.splits)]
        print("| | mean macro-F1 | of each split | mean accuracy |\n|---|---|---|---|")
        for contestant in known:
            print(on_other_splits(contestant, splits), flush=True)
        return
    train, test = sides(rows, arguments.stratified)
    print(f"{len(train)} rows to learn from, {len(test)} that nobody sees before the end\n")
    print("| | macro-F1 | accuracy | reported − true, macro-F1 | fit | artefact | one row |")
    print("|---|---|---|---|---|---|---|")
    for contestant in known:
        print(line_of(measure(contestant, train, test, arguments.seed)), flush=True)


if __name__ == "__main__":
    main()
