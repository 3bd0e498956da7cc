"""The ONNX artefact against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.covertype import covertype
from contracts.errors import ParityBroken
from contracts.model_artefact import Metadata
from tests.training.survey import survey
from training.fit.artefact import (
    Artefact,
    as_inputs,
    build_model,
    choose_golden,
    describe_model,
    reproduces,
)
from training.fit.candidates import Choice
from training.fit.candidates.candidate import FitInput, Fitted
from training.fit.features import compute_features
from training.fit.predictions import Answers, require_parity
from training.fit.rows import Rows, as_rows

CONTRACT = covertype()
CLASSES = len(CONTRACT.class_names)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return as_rows(survey(3000))


@pytest.fixture(scope="module")
def artefact(rows: Rows) -> Artefact:
    return grown(rows)[0]


def grown(rows: Rows, name: str = "extra_trees", **parameters: int | None) -> tuple[Artefact, Fitted]:
    candidate, chosen = Choice(
        name, {"trees": 12} | parameters if "tree" in name or "forest" in name else parameters
    ).resolve()
    fit_input = FitInput(compute_features(rows.features), rows.labels, CLASSES, n_jobs=1)
    fitted = candidate.fit(fit_input, chosen)
    return Artefact(build_model(fitted.ensemble(), CONTRACT).SerializeToString()), fitted


LEARNED = [
    ("extra_trees", {"trees": 40}),
    ("extra_trees", {"min_samples_leaf": 7}),
    ("extra_trees", {"max_features": 3, "criterion": "gini", "class_weight_power": 0}),
    ("random_forest", {}),
    ("histogram_boosting", {"iterations": 30}),
    ("lightgbm", {"iterations": 30}),
]


@pytest.mark.parametrize(("name", "parameters"), LEARNED)
def test_every_answer_is_that_of_the_library(
    rows: Rows, name: str, parameters: dict[str, int | None]
) -> None:
    half = np.arange(len(rows)) % 2
    artefact, fitted = grown(rows.at(np.flatnonzero(half)), name, **parameters)
    held_out = rows.at(np.flatnonzero(1 - half))
    require_parity(artefact.answer(held_out.features), fitted.answer(compute_features(held_out.features)))


def test_a_forests_votes_are_its_probabilities(rows: Rows) -> None:
    _, fitted = grown(rows)
    matrix = compute_features(rows.features)
    answers, forest = fitted.answer(matrix), fitted.estimator
    np.testing.assert_array_equal(answers.labels, forest.predict(matrix))
    np.testing.assert_allclose(answers.probabilities, forest.predict_proba(matrix), atol=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("name", ["extra_trees", "histogram_boosting", "lightgbm"])
def test_of_two_classes_and_of_classes_never_seen_each_library_is_answered_alike(
    rows: Rows, name: str
) -> None:
    for labels in ((1, 4), (0, 2, 5)):
        few = rows.at(np.flatnonzero(np.isin(rows.labels, labels)))
        artefact, fitted = grown(few, name, **({} if name == "extra_trees" else {"iterations": 20}))
        answers = artefact.answer(rows.features)
        require_parity(answers, fitted.answer(compute_features(rows.features)))
        assert set(answers.labels.tolist()) <= set(labels)
        unseen = [label for label in range(CLASSES) if label not in labels]
        assert not answers.probabilities[:, unseen].any()


def test_a_sample_that_lies_on_a_split_goes_the_same_way(rows: Rows) -> None:
    artefact, fitted = grown(rows)
    elevations = np.arange(1010, 4402)
    features = {
        name: np.repeat(values[:1], len(elevations), axis=0) for name, values in rows.features.items()
    }
    features["elevation_m"] = elevations.reshape(-1, 1)
    require_parity(artefact.answer(features), fitted.answer(compute_features(features)))


def test_trees_without_a_split_answer_too(rows: Rows) -> None:
    artefact, fitted = grown(rows, min_samples_leaf=len(rows))
    answers = artefact.answer(rows.features)
    require_parity(answers, fitted.answer(compute_features(rows.features)))
    assert len(np.unique(answers.labels)) == 1


def test_a_row_is_answered_in_the_same_way_alone_and_among_others(rows: Rows, artefact: Artefact) -> None:
    together = artefact.answer(rows.features)
    for position in range(0, 300, 3):
        alone = artefact.answer(rows.at(np.array([position])).features)
        assert alone.labels[0] == together.labels[position]
        np.testing.assert_array_equal(alone.probabilities[0], together.probabilities[position])


def test_one_differing_label_or_probability_breaks_parity() -> None:
    shares = np.float32([[1, 0], [1 / 3, 2 / 3]])
    expected = Answers(np.array([0, 1]), shares)
    require_parity(expected, expected)
    for labels, probabilities in (
        ([0, 0], shares),
        ([0, 1], shares + np.float32([[0, 0], [2e-5, 0]])),
        ([0, 1], shares * np.float32([[1, 1], [np.nan, 1]])),
    ):
        with pytest.raises(ParityBroken, match="1 of 2 rows"):
            require_parity(Answers(np.array(labels), probabilities), expected)


def test_a_class_that_was_never_seen_has_probability_zero(rows: Rows) -> None:
    artefact, _ = grown(rows.at(np.flatnonzero(rows.labels != 4)))
    answers = artefact.answer(rows.features)
    assert answers.probabilities.shape == (len(rows), CLASSES)
    assert not answers.probabilities[:, 4].any()
    assert 4 not in answers.labels
    np.testing.assert_allclose(answers.probabilities.sum(axis=1), 1, atol=1e-6)


def test_an_unseen_soil_is_answered(rows: Rows, artefact: Artefact) -> None:
    features = dict(rows.features) | {"soil_type": np.full((len(rows), 1), "C0000", dtype=object)}
    assert set(artefact.answer(features).labels) <= set(range(CLASSES))


def test_inputs_and_outputs_are_those_that_serving_expects(artefact: Artefact) -> None:
    session = artefact._session
    inputs = [(item.name, item.type, item.shape) for item in session.get_inputs()]
    kinds = {"integer": "tensor(int64)", "string": "tensor(string)"}
    assert inputs == [(column.name, kinds[column.kind], ["n", 1]) for column in CONTRACT.features]
    outputs = [(item.name, item.type, item.shape) for item in session.get_outputs()]
    assert outputs == [
        ("label", "tensor(int64)", ["n"]),
        ("probabilities", "tensor(float)", ["n", CLASSES]),
    ]


def test_golden_requests_cover_the_predicted_classes_and_are_reproduced(
    rows: Rows, artefact: Artefact
) -> None:
    answers = artefact.answer(rows.features)
    golden = choose_golden(rows.features, answers, CONTRACT, count=20)
    assert len(golden) == 20
    assert {request["cover_type"] for request in golden} == set(answers.labels.tolist())
    assert reproduces(artefact, golden, CONTRACT)
    golden[3]["cover_type"] = (golden[3]["cover_type"] + 1) % CLASSES
    assert not reproduces(artefact, golden, CONTRACT)
    assert not reproduces(artefact, [], CONTRACT)


def test_the_golden_requests_travel_inside_the_file(rows: Rows) -> None:
    _, fitted = grown(rows)
    model = build_model(fitted.ensemble(), CONTRACT)
    describe_model(model, {Metadata.GOLDEN: '[{"row": {"soil_type": "C7745"}, "cover_type": 1}]'})
    loaded = Artefact(model.SerializeToString())
    assert loaded.golden == [{"row": {"soil_type": "C7745"}, "cover_type": 1}]


def test_rows_can_be_written_as_a_person_writes_them(rows: Rows, artefact: Artefact) -> None:
    row = {name: values[0, 0] for name, values in rows.features.items()}
    answers = artefact.answer(as_inputs([row], CONTRACT))
    assert answers.labels[0] == artefact.answer(rows.features).labels[0]
