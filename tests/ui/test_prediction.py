"""What the UI asks of the real prediction service."""

from pathlib import Path

import pytest

from clients.predictions import Predictions
from contracts.covertype import covertype
from contracts.errors import ModelMissing, ServiceUnavailable
from contracts.prediction import Problem
from tests.ui.parts import serving
from ui.reading.cells import example_cell
from ui.reading.prediction import predict, served_model
from ui.settings import UiSettings


def test_a_cell_is_answered_with_a_share_for_each_cover_type(settings: UiSettings) -> None:
    answer = predict(settings, example_cell().features)
    assert isinstance(answer, Predictions)
    (prediction,) = answer.predictions
    assert tuple(prediction.probabilities) == covertype().class_names
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert answer.model == served_model(settings)


def test_a_cell_outside_the_contract_is_refused_field_by_field(settings: UiSettings) -> None:
    refusal = predict(settings, {**example_cell().features, "slope_deg": 110, "soil_type": "C7744"})
    assert isinstance(refusal, Problem)
    assert {(error.field, error.value) for error in refusal.errors} == {
        ("slope_deg", 110),
        ("soil_type", "C7744"),
    }
    assert "integer from 0 to 90" in {error.allowed for error in refusal.errors}


def test_a_service_without_a_model_says_to_train(tmp_path: Path) -> None:
    with serving(tmp_path, has_model=False) as url:
        settings = UiSettings(serving_url=url, serving_key_file=tmp_path / "predict.key")
        with pytest.raises(ModelMissing, match="canopy train"):
            served_model(settings)
        with pytest.raises(ModelMissing, match="canopy train"):
            predict(settings, example_cell().features)


def test_a_service_that_is_away_is_named(nowhere: UiSettings) -> None:
    with pytest.raises(ServiceUnavailable, match="prediction service"):
        served_model(nowhere)


def test_another_program_on_its_port_is_not_mistaken_for_it(airflow_url: str) -> None:
    with pytest.raises(ServiceUnavailable):
        predict(UiSettings(serving_url=airflow_url), example_cell().features)
