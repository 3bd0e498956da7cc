"""Gradient boosting on histograms, by scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from training.fit.candidates.candidate import FitInput, Matrix, Parameters, row_weights
from training.fit.candidates.trees import UNSEEN, Ensemble, Tree
from training.fit.predictions import Answers

if TYPE_CHECKING:
    from optuna import Trial


class BoostingParameters(Parameters):
    """How boosting learns.

    Attributes:
        iterations: Rounds; each grows one tree a class.
        learning_rate: How much of each tree counts.
        max_leaf_nodes: Leaves of a tree.
        min_samples_leaf: Rows that a leaf must keep. With few, a leaf's Hessian comes near zero in a class
            that is known already, and its value runs away: 400 rounds of 127 leaves ended at 0.50 accuracy.
        l2_regularization: Added to that Hessian, for the same reason.
        class_weight_power: 0 weighs every row alike, 1 every class.
    """

    iterations: int = Field(default=300, ge=1)
    learning_rate: float = Field(default=0.1, gt=0, le=1)
    max_leaf_nodes: int = Field(default=63, ge=2)
    min_samples_leaf: int = Field(default=20, ge=1)
    l2_regularization: float = Field(default=5.0, ge=0)
    class_weight_power: float = Field(default=0.5, ge=0, le=2)


@dataclass(frozen=True)
class Boosted:
    """Boosted trees that have been grown."""

    estimator: Any
    n_classes: int

    def answer(self, matrix: Matrix) -> Answers:
        """Returns what scikit-learn says; a class that it has not seen has probability 0."""
        probabilities = np.zeros((len(matrix), self.n_classes), dtype=np.float32)
        probabilities[:, self.estimator.classes_] = self.estimator.predict_proba(matrix)
        return Answers(probabilities.argmax(axis=1), probabilities)

    def ensemble(self) -> Ensemble:
        """Returns the trees, each speaking for one class; of two classes scikit-learn grows trees for the
        second."""
        classes = self.estimator.classes_
        spoken_for = classes if len(classes) > 2 else classes[1:]
        trees = [
            _tree(predictor.nodes, int(label))
            for grown in self.estimator._predictors
            for label, predictor in zip(spoken_for, grown, strict=True)
        ]
        base = np.full(self.n_classes, UNSEEN, dtype=np.float32)
        base[classes] = 0.0
        base[spoken_for] = self.estimator._baseline_prediction.ravel()
        return Ensemble(trees, link="softmax", base=base)


class HistogramBoosting:
    """Gradient boosting on histograms.

    Source: Friedman, Greedy function approximation, Annals of Statistics 29 (2001); Ke et al., LightGBM,
    NeurIPS 30 (2017).
    """

    name = "histogram_boosting"
    parameters: type[Parameters] = BoostingParameters
    is_extra = False

    def fit(self, fit_input: FitInput, parameters: BoostingParameters) -> Boosted:
        """See `Candidate`."""
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits

        estimator = HistGradientBoostingClassifier(
            max_iter=parameters.iterations,
            learning_rate=parameters.learning_rate,
            max_leaf_nodes=parameters.max_leaf_nodes,
            min_samples_leaf=parameters.min_samples_leaf,
            l2_regularization=parameters.l2_regularization,
            early_stopping=False,
            random_state=fit_input.seed,
        )
        weights = row_weights(fit_input, parameters.class_weight_power)
        with threadpool_limits(fit_input.n_jobs, user_api="openmp"):
            estimator.fit(fit_input.matrix, fit_input.labels, weights)
        return Boosted(estimator, fit_input.n_classes)

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """See `Candidate`."""
        return {
            "iterations": trial.suggest_int(f"{self.name}_iterations", 100, 400, step=100),
            "learning_rate": trial.suggest_float(f"{self.name}_learning_rate", 0.05, 0.2, log=True),
            "max_leaf_nodes": trial.suggest_categorical(f"{self.name}_max_leaf_nodes", [31, 63]),
            "class_weight_power": trial.suggest_float(f"{self.name}_class_weight_power", 0.0, 1.0, step=0.25),
        }


def _tree(nodes: NDArray[Any], label: int) -> Tree:
    is_leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        left=np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(is_leaf, -1, nodes["right"].astype(np.int64)),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"],
        leaf_class=np.full(len(nodes), label),
        leaf_weight=nodes["value"],
    )
