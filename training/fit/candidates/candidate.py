"""What a candidate is: a way to learn, its parameters, and where a search may look for better ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.errors import ParametersInvalid
from training.fit.candidates.trees import Ensemble
from training.fit.predictions import Answers

if TYPE_CHECKING:
    from optuna import Trial

Matrix = NDArray[np.float32]
Labels = NDArray[np.int64]


class Parameters(BaseModel):
    """What a candidate can be set to; a name that it does not have is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class FitInput:
    """What there is to learn from, and with how much.

    Attributes:
        matrix: Shape (n_rows, n_features).
        labels: True classes as positions in the contract's list, shape (n_rows,).
        n_classes: How many classes the contract has.
        counts: How often each row counts, shape (n_rows,); None if each counts once.
        seed: Of all that is random.
        n_jobs: Threads; the result does not depend on it.
    """

    matrix: Matrix
    labels: Labels
    n_classes: int
    counts: NDArray[np.int64] | None = None
    seed: int = 0
    n_jobs: int = 1


class Fitted(Protocol):
    """A model that has learned, in the library that taught it."""

    def answer(self, matrix: Matrix) -> Answers:
        """Returns what the library itself says of these rows."""

    def ensemble(self) -> Ensemble:
        """Returns its trees, for ONNX."""


class Candidate(Protocol):
    """One way to learn."""

    name: str
    parameters: type[Parameters]
    is_extra: bool

    def fit(self, fit_input: FitInput, parameters: Any) -> Fitted:
        """Learns."""

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Suggests parameters that a search should try next; those not named keep their defaults.

        What the trial is asked for bears the candidate's name in front: two candidates may have parameters
        of one name and different values. The defaults are among the values.
        """


def usual(candidate: Candidate) -> dict[str, Any]:
    """Returns a candidate's defaults, as a trial is asked for them."""
    return {f"{candidate.name}_{name}": value for name, value in candidate.parameters().model_dump().items()}


def parameters_of(candidate: Candidate, given: Mapping[str, Any]) -> Parameters:
    """Returns a candidate's parameters, the defaults where none are given.

    Raises: ParametersInvalid.
    """
    try:
        return candidate.parameters.model_validate(dict(given))
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ParametersInvalid(candidate.name, wrong, sorted(candidate.parameters.model_fields)) from error


def class_weights(labels: Labels, power: float) -> dict[int, float]:
    """Returns what a row of each class weighs: the inverse of the class's share, to a power.

    0 weighs every row alike, 1 every class.

    Source: King and Zeng, Logistic regression in rare events data, Political Analysis 9 (2001);
    scikit-learn's `class_weight="balanced"` is the power 1.
    """
    classes, counts = np.unique(labels, return_counts=True)
    weights = (len(labels) / (len(classes) * counts)) ** power
    return dict(zip(classes.tolist(), weights.tolist(), strict=True))


def row_weights(fit_input: FitInput, power: float) -> NDArray[np.float64]:
    """Returns what each row weighs, its count included, shape (n_rows,)."""
    by_class = class_weights(fit_input.labels, power)
    weights = np.array([by_class.get(label, 0.0) for label in range(fit_input.n_classes)])[fit_input.labels]
    return weights if fit_input.counts is None else weights * fit_input.counts
