"""Forests that vote: extremely randomised trees and random forests, by scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from training.fit.candidates.candidate import FitInput, Matrix, Parameters, class_weights
from training.fit.candidates.trees import Ensemble, Tree
from training.fit.predictions import Answers

if TYPE_CHECKING:
    from optuna import Trial


class ForestParameters(Parameters):
    """How a forest grows.

    Attributes:
        trees: How many. 200 extra trees are 65 MB as ONNX after 93,000 rows.
        criterion: What a split is chosen by.
        max_features: Columns that are tried at each split, as a number or a share; None tries all.
        min_samples_leaf: Rows that a leaf must keep; 1 grows each tree to the end.
        class_weight_power: 0 weighs every row alike, 1 every class.
    """

    trees: int = Field(default=200, ge=1)
    criterion: Literal["entropy", "gini"] = "entropy"
    max_features: int | float | None = Field(default=0.4, gt=0)
    min_samples_leaf: int = Field(default=1, ge=1)
    class_weight_power: float = Field(default=1.0, ge=0, le=2)


class RandomForestParameters(ForestParameters):
    """A random forest looks for the best cut in each column: it needs fewer columns at a time."""

    trees: int = Field(default=100, ge=1)
    max_features: int | float | None = Field(default=0.25, gt=0)


@dataclass(frozen=True)
class Forest:
    """A forest that has grown."""

    estimator: Any
    n_classes: int

    def answer(self, matrix: Matrix) -> Answers:
        """Returns the trees' votes by scikit-learn's own trees, as shares.

        Source: Breiman, Random forests, Machine Learning 45 (2001). A vote is a whole number, so the sum is
        the same in whatever order and precision it is taken: that is what makes equality with ONNX exact.
        A tree that is grown to the end has leaves of one class, and its vote is its probability.
        """
        votes = self._votes(matrix)
        shares = votes / len(self.estimator.estimators_)
        return Answers(votes.argmax(axis=1), shares.astype(np.float32))

    def ensemble(self) -> Ensemble:
        """Returns the trees, each leaf with one vote."""
        classes = self.estimator.classes_
        return Ensemble([_tree(grown.tree_, classes) for grown in self.estimator.estimators_], link="share")

    def _votes(self, matrix: Matrix) -> NDArray[np.int64]:
        votes = np.zeros((len(matrix), self.n_classes), dtype=np.int64)
        every_row = np.arange(len(matrix))
        for tree in self.estimator.estimators_:
            chosen = np.asarray(tree.predict(matrix, check_input=False)).astype(np.int64)
            votes[every_row, self.estimator.classes_[chosen]] += 1
        return votes


class ExtraTrees:
    """Extremely randomised trees.

    Source: Geurts, Ernst and Wehenkel, Extremely randomized trees, Machine Learning 63 (2006).
    """

    name = "extra_trees"
    parameters: type[Parameters] = ForestParameters
    is_extra = False

    def fit(self, fit_input: FitInput, parameters: ForestParameters) -> Forest:
        """See `Candidate`."""
        from sklearn.ensemble import ExtraTreesClassifier

        return _grow(ExtraTreesClassifier, fit_input, parameters)

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """See `Candidate`."""
        return {
            "trees": trial.suggest_int(f"{self.name}_trees", 80, 240, step=40),
            "criterion": trial.suggest_categorical(f"{self.name}_criterion", ["entropy", "gini"]),
            "max_features": trial.suggest_categorical(f"{self.name}_max_features", [0.2, 0.4, 0.7]),
            "class_weight_power": trial.suggest_float(
                f"{self.name}_class_weight_power", 0.0, 1.25, step=0.25
            ),
        }


class RandomForest:
    """Random forests: the best cut of each column, on rows drawn with replacement.

    Source: Breiman, Random forests, Machine Learning 45 (2001).
    """

    name = "random_forest"
    parameters: type[Parameters] = RandomForestParameters
    is_extra = False

    def fit(self, fit_input: FitInput, parameters: ForestParameters) -> Forest:
        """See `Candidate`."""
        from sklearn.ensemble import RandomForestClassifier

        return _grow(RandomForestClassifier, fit_input, parameters)

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """See `Candidate`."""
        return {
            "trees": trial.suggest_int(f"{self.name}_trees", 40, 120, step=20),
            "max_features": trial.suggest_categorical(f"{self.name}_max_features", [0.15, 0.25, 0.4]),
            "class_weight_power": trial.suggest_float(
                f"{self.name}_class_weight_power", 0.0, 1.25, step=0.25
            ),
        }


def _grow(kind: type[Any], fit_input: FitInput, parameters: ForestParameters) -> Forest:
    estimator = kind(
        n_estimators=parameters.trees,
        criterion=parameters.criterion,
        max_features=parameters.max_features,
        min_samples_leaf=parameters.min_samples_leaf,
        class_weight=class_weights(fit_input.labels, parameters.class_weight_power),
        random_state=fit_input.seed,
        n_jobs=fit_input.n_jobs,
    )
    return Forest(estimator.fit(fit_input.matrix, fit_input.labels, fit_input.counts), fit_input.n_classes)


def _tree(tree: Any, classes: NDArray[np.int64]) -> Tree:
    return Tree(
        left=tree.children_left,
        right=tree.children_right,
        feature=tree.feature,
        threshold=tree.threshold,
        leaf_class=classes[tree.value[:, 0, :].argmax(axis=1)],
        leaf_weight=np.ones(tree.node_count),
    )
