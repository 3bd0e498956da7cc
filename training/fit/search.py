"""A search for better settings, under a time budget; its winner is what is trained from then on.

Only rows to train on are looked at, in folds: the held-out rows stay as honest as they were. A trial ends
early when it is worse than the best beyond chance, on the rows that both have answered so far. Of those
that are not worse than the best beyond chance the cheapest wins, by size and by what one row takes.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contracts.covertype import Contract, covertype
from contracts.errors import NothingFound, NothingPublished
from lake.publish.pointer import latest
from lake.settings import LakeSettings
from training.fit.artefact import Artefact, build_model
from training.fit.candidates import CANDIDATES, Choice, candidate
from training.fit.candidates.candidate import FitInput, Fitted, usual
from training.fit.features import compute_features
from training.fit.rows import Rows, read_training_set, require_enough
from training.judge.probes import latency_ms
from training.judge.scores import Interval, confusion_matrix, macro_f1_difference, macro_f1_interval
from training.promote.registry import Registry
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from optuna import Study, Trial

logger = logging.getLogger(__name__)

FOLDS = 3
WINNER = "canopy.search"
LEARN_FROM = 30_000


@dataclass(frozen=True)
class Tried:
    """One trial that came to its end.

    Attributes:
        choice: What learned, and how.
        predicted: What it said of each row, by the fold that had not learned from it, shape (n_rows,).
        macro_f1: On them.
        megabytes: What it would weigh after all rows; estimated from one fold.
        latency_ms: What one row takes.
    """

    choice: Choice
    predicted: NDArray[np.int64]
    macro_f1: Interval
    megabytes: float
    latency_ms: float


@dataclass(frozen=True)
class Searched:
    """What a search has found.

    Attributes:
        run_id: The MLflow run; each trial is a run below it.
        choice: The winner.
        macro_f1: Its score, in folds of the rows to train on.
        best_macro_f1: The score of the best, which may be dearer.
        megabytes: What the winner would weigh after all rows.
        latency_ms: What one row takes.
        trials: How many were tried to their end.
        pruned: How many were given up early.
    """

    run_id: str
    choice: Choice
    macro_f1: Interval
    best_macro_f1: Interval
    megabytes: float
    latency_ms: float
    trials: int
    pruned: int


@dataclass
class _Search:
    rows: Rows
    all_rows: int
    names: Sequence[str]
    contract: Contract
    settings: TrainingSettings
    deadline: float
    tried: list[Tried] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.matrix = compute_features(self.rows.features)
        self.fold = np.arange(len(self.rows)) % FOLDS  # they come in the order of a hash

    def objective(self, trial: Trial) -> float:
        import mlflow

        name = trial.suggest_categorical("candidate", list(self.names))
        choice = Choice(name, candidate(name).suggest(trial))
        with mlflow.start_run(run_name=f"{name} {trial.number}", nested=True):
            mlflow.log_params({"candidate": name, **choice.parameters})
            tried = self._try(choice, trial)
            figures = {"macro_f1": tried.macro_f1.value, "macro_f1_low": tried.macro_f1.low}
            figures |= {"megabytes": tried.megabytes, "latency_ms": tried.latency_ms}
            mlflow.log_metrics(figures | {"macro_f1_high": tried.macro_f1.high})
        self.tried.append(tried)
        return tried.macro_f1.value

    def _try(self, choice: Choice, trial: Trial) -> Tried:
        predicted = np.full(len(self.rows), -1, dtype=np.int64)
        weight, latency = 0.0, 0.0
        for fold in range(FOLDS):
            fitted, here = self._learn(choice, fold)
            predicted[here] = fitted.answer(self.matrix[here]).labels
            if fold == 0:
                weight, latency = self._weigh(fitted, here)
                self._refuse_too_dear(weight, latency)
            self._refuse_worse(predicted, trial)
        return Tried(choice, predicted, self._interval(predicted), weight, latency)

    def _learn(self, choice: Choice, fold: int) -> tuple[Fitted, NDArray[np.int64]]:
        learner, parameters = choice.resolve()
        others = self.fold != fold
        fit_input = FitInput(
            self.matrix[others],
            self.rows.labels[others],
            len(self.contract.class_names),
            seed=self.settings.seed,
            n_jobs=self.settings.n_jobs,
        )
        return learner.fit(fit_input, parameters), np.flatnonzero(~others)

    def _weigh(self, fitted: Fitted, here: NDArray[np.int64]) -> tuple[float, float]:
        artefact = Artefact(build_model(fitted.ensemble(), self.contract).SerializeToString())
        learned_from = len(self.rows) - len(here)
        return artefact.megabytes * self.all_rows / learned_from, latency_ms(artefact, self.rows.at(here))

    def _refuse_too_dear(self, megabytes: float, latency: float) -> None:
        if megabytes > self.settings.maximum_megabytes or latency > self.settings.maximum_latency_ms:
            self._give_up(f"{megabytes:.0f} MB and {latency:.2f} ms a row are too much")

    def _refuse_worse(self, predicted: NDArray[np.int64], trial: Trial) -> None:
        answered = np.flatnonzero(predicted >= 0)
        if self.tried:
            best = max(self.tried, key=lambda one: one.macro_f1.value)
            difference = self._difference(predicted, best.predicted, answered)
            if difference.high < 0 and len(answered) < len(predicted):
                self._give_up(f"worse than the best beyond chance: {difference.value:+.4f}")
        if time.monotonic() > self.deadline and len(answered) < len(predicted):
            trial.study.stop()
            self._give_up("the time is over")

    def _give_up(self, why: str) -> None:
        import mlflow
        from optuna import TrialPruned

        mlflow.set_tag("pruned", why)
        raise TrialPruned(why)

    def _interval(self, predicted: NDArray[np.int64]) -> Interval:
        confusion = confusion_matrix(self.rows.labels, predicted, len(self.contract.class_names))
        return macro_f1_interval(confusion, draws=self.settings.bootstrap_draws, seed=self.settings.seed)

    def _difference(
        self, ours: NDArray[np.int64], theirs: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> Interval:
        return macro_f1_difference(
            self.rows.labels[rows],
            ours[rows],
            theirs[rows],
            len(self.contract.class_names),
            draws=self.settings.bootstrap_draws,
            seed=self.settings.seed,
        )

    def winner(self) -> tuple[Tried, Tried]:
        """Returns the cheapest that is not worse than the best beyond chance, and the best."""
        if not self.tried:
            raise NothingFound(self.settings.maximum_megabytes, self.settings.maximum_latency_ms)
        best = max(self.tried, key=lambda one: one.macro_f1.value)
        every_row = np.arange(len(self.rows))
        as_good = [
            one for one in self.tried if self._difference(one.predicted, best.predicted, every_row).high >= 0
        ]
        return min(as_good, key=lambda one: one.megabytes * one.latency_ms), best


def search(
    settings: TrainingSettings | None = None,
    lake: LakeSettings | None = None,
    *,
    seconds: float = 600,
    candidates: Sequence[str] = (),
    rows: int = LEARN_FROM,
) -> Searched:
    """Tries settings until the time is over, each trial an MLflow run, and remembers the winner.

    Args:
        settings: From the environment if not given.
        lake: From the environment if not given.
        seconds: When to stop; a fold that has begun is learned to its end.
        candidates: Which to try; all that need nothing extra if none is named.
        rows: At most so many rows are learned from.

    Raises: NothingPublished; TooFewRows; CandidateUnknown, ExtraMissing; NothingFound if no trial came to
        its end; ServiceUnavailable if MLflow does not answer.
    """
    settings, lake = settings or TrainingSettings(), lake or LakeSettings()
    deadline = time.monotonic() + seconds
    names = [candidate(name).name for name in candidates] or [
        name for name, one in CANDIDATES.items() if not one.is_extra
    ]
    publication = latest(lake)
    if publication is None:
        raise NothingPublished
    Registry(settings)
    training_set = read_training_set(lake, publication)
    require_enough(training_set)
    train = training_set.train
    chosen = train.at(np.arange(min(rows, len(train))))
    looked_at = _Search(chosen, len(train), names, covertype(), settings, deadline)
    return _run(looked_at, publication.snapshot_id, settings, seconds)


def found_by_search(registry: Registry, settings: TrainingSettings) -> Choice | None:
    """Returns what the newest search has found, or None if there was none."""
    experiment = registry.client.get_experiment_by_name(settings.experiment)
    if experiment is None:
        return None
    runs = registry.client.search_runs(
        [experiment.experiment_id],
        f"tags.`{WINNER}` != ''",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    if not runs:
        return None
    found = json.loads(runs[0].data.tags[WINNER])
    return Choice(found["candidate"], found["parameters"])


def _run(looked_at: _Search, snapshot_id: int, settings: TrainingSettings, seconds: float) -> Searched:
    import mlflow

    mlflow.set_experiment(settings.experiment)
    with mlflow.start_run(run_name=f"search at snapshot {snapshot_id}") as run:
        mlflow.log_params({"seconds": seconds, "rows": len(looked_at.rows), "folds": FOLDS})
        mlflow.set_tag("snapshot_id", str(snapshot_id))
        study = _study(looked_at.names, settings.seed)
        study.optimize(looked_at.objective, timeout=seconds)
        winner, best = looked_at.winner()
        parameters = winner.choice.resolve()[1].model_dump()
        found = {"candidate": winner.choice.name, "parameters": parameters}
        mlflow.log_metrics({"macro_f1": winner.macro_f1.value, "best_macro_f1": best.macro_f1.value})
        mlflow.set_tag(WINNER, json.dumps(found))
    logger.info("searched winner=%s parameters=%s", winner.choice.name, parameters)
    return Searched(
        run.info.run_id,
        Choice(winner.choice.name, parameters),
        winner.macro_f1,
        best.macro_f1,
        winner.megabytes,
        winner.latency_ms,
        len(looked_at.tried),
        len(study.trials) - len(looked_at.tried),
    )


def _study(names: Sequence[str], seed: int) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    for name in names:  # what is usual comes first
        study.enqueue_trial({"candidate": name, **usual(candidate(name))})
    return study
