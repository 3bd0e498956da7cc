"""Rows in, scored and proven artefact out; nothing is written anywhere."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.covertype import Contract, covertype
from contracts.model_artefact import Metadata
from training.clock import Clock
from training.fit.artefact import (
    Artefact,
    build_model,
    choose_golden,
    describe_model,
)
from training.fit.candidates import Choice
from training.fit.candidates.candidate import FitInput
from training.fit.features import compute_features
from training.fit.predictions import Answers, require_parity
from training.fit.rows import Rows, TrainingSet, require_enough
from training.judge.evaluation import Evaluation, evaluate
from training.settings import TrainingSettings


@dataclass(frozen=True)
class Training:
    """All that there is to write down about one training.

    Attributes:
        rows: What it learned from and was tested on.
        artefact: What answers.
        answers: Its answers to the held-out rows.
        evaluation: How good they are.
        choice: What learned, and how.
        contract: Of the data.
        settings: Seed, draws and the rest.
        seconds: Per step so far.
    """

    rows: TrainingSet
    artefact: Artefact
    answers: Answers
    evaluation: Evaluation
    choice: Choice
    contract: Contract
    settings: TrainingSettings
    seconds: Mapping[str, float]


def fit(
    rows: TrainingSet,
    settings: TrainingSettings,
    clock: Clock | None = None,
    choice: Choice | None = None,
) -> Training:
    """Learns, writes what was learned as ONNX, proves the two equal, and scores what will answer.

    Args:
        rows: Both sides of the split.
        settings: What learns and how, unless `choice` says it; seed and draws of the intervals.
        clock: Takes the seconds of each step.
        choice: What learns, and how.

    Raises: TooFewRows; CandidateUnknown, ParametersInvalid, ExtraMissing; ParityBroken.
    """
    require_enough(rows)
    clock, contract, choice = clock or Clock(), covertype(), choice or Choice.by(settings)
    candidate, parameters = choice.resolve()
    with clock.step("features"):
        matrices = compute_features(rows.train.features), compute_features(rows.test.features)
    with clock.step("fit"):
        n_classes = len(contract.class_names)
        fit_input = FitInput(
            matrices[0], rows.train.labels, n_classes, seed=settings.seed, n_jobs=settings.n_jobs
        )
        fitted = candidate.fit(fit_input, parameters)
    with clock.step("convert"):
        model = build_model(fitted.ensemble(), contract)
        answers = Artefact(model.SerializeToString()).answer(rows.test.features)
    with clock.step("parity"):
        require_parity(answers, fitted.answer(matrices[1]))
    with clock.step("score"):
        evaluation = evaluate(rows, answers, matrices, (candidate, parameters), contract, settings)
    describe_model(model, _properties(rows, answers, contract))
    artefact = Artefact(model.SerializeToString())
    return Training(rows, artefact, answers, evaluation, choice, contract, settings, dict(clock.seconds))


def training_profile(rows: Rows, contract: Contract) -> dict[str, Any]:
    """Returns what a model has learned from, in short: serving flags what it has hardly seen.

    That is the lowest and highest value of each measured feature, and rows by value of each category.

    Args:
        rows: Those to learn from.
        contract: Names all values of a category; one that has no row is listed with 0.
    """
    ranges, counts = {}, {}
    for column in contract.features:
        values = rows.features[column.name][:, 0]
        if column.kind == "integer":
            ranges[column.name] = [int(values.min()), int(values.max())]
        else:
            found = Counter(values.tolist())
            counts[column.name] = {value: found[value] for value in column.values}
    return {"rows": len(rows), "ranges": ranges, "counts": counts}


def _properties(rows: TrainingSet, answers: Answers, contract: Contract) -> dict[str, str]:
    return {
        Metadata.CONTRACT_VERSION: contract.version,
        Metadata.SNAPSHOT_ID: str(rows.publication.snapshot_id),
        Metadata.GOLDEN: json.dumps(choose_golden(rows.test.features, answers, contract)),
        Metadata.TRAINING_PROFILE: json.dumps(training_profile(rows.train, contract)),
    }
