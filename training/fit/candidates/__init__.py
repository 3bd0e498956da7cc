"""The models that training chooses among: each learns by a library and can be written as ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.errors import CandidateUnknown
from training.fit.candidates.boosting import HistogramBoosting
from training.fit.candidates.candidate import Candidate, Parameters, parameters_of
from training.fit.candidates.forests import ExtraTrees, RandomForest
from training.fit.candidates.lightgbm import LightGbm
from training.settings import TrainingSettings

CANDIDATES: dict[str, Candidate] = {
    candidate.name: candidate for candidate in (ExtraTrees(), RandomForest(), HistogramBoosting(), LightGbm())
}

USUAL = ExtraTrees.name


@dataclass(frozen=True)
class Choice:
    """What learns, and how.

    Attributes:
        name: Of the candidate.
        parameters: What it is set to; what is not named has its default.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def by(cls, settings: TrainingSettings, found: Choice | None = None) -> Choice:
        """Returns what the settings say; where they say nothing, what a search has found, else extra
        trees."""
        base = found or cls(USUAL)
        if settings.candidate not in (None, base.name):
            base = cls(str(settings.candidate))
        return cls(base.name, {**base.parameters, **settings.parameters})

    def resolve(self) -> tuple[Candidate, Parameters]:
        """Returns the candidate with all its parameters. Raises: CandidateUnknown, ParametersInvalid."""
        chosen = candidate(self.name)
        return chosen, parameters_of(chosen, self.parameters)


def candidate(name: str) -> Candidate:
    """Returns the candidate of this name.

    Raises: CandidateUnknown.
    """
    try:
        return CANDIDATES[name]
    except KeyError:
        raise CandidateUnknown(name, sorted(CANDIDATES)) from None
