"""Gradient boosting by LightGBM: an extra, installed with `canopy[lightgbm]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from contracts.errors import ExtraMissing
from training.fit.candidates.boosting import BoostingParameters
from training.fit.candidates.candidate import FitInput, Matrix, Parameters, row_weights
from training.fit.candidates.trees import UNSEEN, Ensemble, Tree
from training.fit.predictions import Answers

if TYPE_CHECKING:
    from optuna import Trial


@dataclass(frozen=True)
class LightGbmTrees:
    """Trees that LightGBM has grown."""

    booster: Any
    classes: Any
    n_classes: int

    def answer(self, matrix: Matrix) -> Answers:
        """Returns what LightGBM says; a class that it has not seen has probability 0."""
        found = self.booster.predict(matrix)
        probabilities = np.zeros((len(matrix), self.n_classes), dtype=np.float32)
        probabilities[:, self.classes] = found
        return Answers(probabilities.argmax(axis=1), probabilities)

    def ensemble(self) -> Ensemble:
        """Returns the trees, each speaking for one class; LightGBM has put the base into the first of
        them."""
        base = np.full(self.n_classes, UNSEEN, dtype=np.float32)
        base[self.classes] = 0.0
        grown = self.booster.dump_model()["tree_info"]
        trees = [
            _tree(one["tree_structure"], int(self.classes[number % len(self.classes)]))
            for number, one in enumerate(grown)
        ]
        return Ensemble(trees, link="softmax", base=base)


class LightGbm:
    """LightGBM.

    Source: Ke et al., LightGBM: a highly efficient gradient boosting decision tree, NeurIPS 30 (2017).
    """

    name = "lightgbm"
    parameters: type[Parameters] = BoostingParameters
    is_extra = True

    def fit(self, fit_input: FitInput, parameters: BoostingParameters) -> LightGbmTrees:
        """See `Candidate`. Raises: ExtraMissing if LightGBM is not installed."""
        try:
            import lightgbm
        except ImportError as error:
            raise ExtraMissing("lightgbm", str(error)) from error
        classes, positions = np.unique(fit_input.labels, return_inverse=True)
        settings = {
            "objective": "multiclass",
            "num_class": len(classes),
            "learning_rate": parameters.learning_rate,
            "num_leaves": parameters.max_leaf_nodes,
            "min_data_in_leaf": parameters.min_samples_leaf,
            "lambda_l2": parameters.l2_regularization,
            "num_threads": fit_input.n_jobs,
            "seed": fit_input.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        rows = lightgbm.Dataset(
            fit_input.matrix, positions, weight=row_weights(fit_input, parameters.class_weight_power)
        )
        booster = lightgbm.train(settings, rows, num_boost_round=parameters.iterations)
        return LightGbmTrees(booster, classes, fit_input.n_classes)

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """See `Candidate`."""
        return {
            "iterations": trial.suggest_int(f"{self.name}_iterations", 100, 400, step=100),
            "learning_rate": trial.suggest_float(f"{self.name}_learning_rate", 0.05, 0.2, log=True),
            "max_leaf_nodes": trial.suggest_categorical(f"{self.name}_max_leaf_nodes", [31, 63, 127]),
            "class_weight_power": trial.suggest_float(f"{self.name}_class_weight_power", 0.0, 1.0, step=0.25),
        }


def _tree(root: dict[str, Any], label: int) -> Tree:
    nodes: list[dict[str, Any]] = []
    links: list[list[int]] = []
    waiting = [(root, -1, 0)]
    while waiting:
        node, parent, side = waiting.pop()
        if parent >= 0:
            links[parent][side] = len(nodes)
        if "left_child" in node:
            waiting += [(node["left_child"], len(nodes), 0), (node["right_child"], len(nodes), 1)]
        nodes.append(node)
        links.append([-1, -1])
    left, right = np.array(links).T
    return Tree(
        left=left,
        right=right,
        feature=np.array([node.get("split_feature", 0) for node in nodes]),
        threshold=np.array([node.get("threshold", 0.0) for node in nodes]),
        leaf_class=np.full(len(nodes), label),
        leaf_weight=np.array([node.get("leaf_value", 0.0) for node in nodes]),
    )
