"""Rows in, scored and proven artefact out; nothing is written anywhere."""

from __future__ import annotations

import json

from contracts.covertype import Contract, covertype
from training.artefact import (
    CONTRACT_VERSION,
    GOLDEN,
    SNAPSHOT_ID,
    Artefact,
    build_model,
    choose_golden,
    describe_model,
)
from training.clock import Clock
from training.features import compute_features
from training.forest import count_votes, grow
from training.parity import require_parity
from training.rows import TrainingSet, require_enough
from training.runs import Training
from training.scores import score
from training.settings import TrainingSettings


def fit(rows: TrainingSet, settings: TrainingSettings, clock: Clock | None = None) -> Training:
    """Grows the forest, writes it as ONNX, proves the two equal, and scores what will answer.

    Args:
        rows: Both sides of the split.
        settings: Size and seed of the forest, draws of the intervals.
        clock: Takes the seconds of each step.

    Raises: TooFewRows; ParityBroken.
    """
    require_enough(rows, minimum_train=settings.minimum_train_rows, minimum_test=settings.minimum_test_rows)
    clock, contract = clock or Clock(), covertype()
    with clock.step("fit"):
        forest = grow(compute_features(rows.train.features), rows.train.labels, settings)
    with clock.step("convert"):
        model = build_model(forest, contract)
        answers = Artefact(model.SerializeToString()).answer(rows.test.features)
    with clock.step("parity"):
        votes = count_votes(forest, compute_features(rows.test.features), len(contract.class_names))
        require_parity(answers, votes)
    with clock.step("score"):
        scores = score(
            rows.test.labels,
            answers.labels,
            answers.probabilities,
            contract.class_names,
            draws=settings.bootstrap_draws,
            seed=settings.seed,
        )
    golden = choose_golden(rows.test.features, answers, contract)
    describe_model(model, _properties(contract, rows.publication.snapshot_id, json.dumps(golden)))
    return Training(rows, Artefact(model.SerializeToString()), scores, contract, settings)


def _properties(contract: Contract, snapshot_id: int, golden: str) -> dict[str, str]:
    return {CONTRACT_VERSION: contract.version, SNAPSHOT_ID: str(snapshot_id), GOLDEN: golden}
