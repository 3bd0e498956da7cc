"""The prediction service, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from contracts.errors import ModelMissing, ServiceUnavailable
from contracts.prediction import AnsweringModel, Problem
from ui.calls import ask, json_of, understood
from ui.settings import UiSettings

PART = "The prediction service"

Row = Mapping[str, int | str]


@dataclass(frozen=True)
class Prediction:
    """One answered row.

    Attributes:
        cover_type: The class with the highest probability, by name.
        probabilities: Share by class name, in the contract's order.
        model: What answered.
        request_id: Leads to the prediction log.
    """

    cover_type: str
    probabilities: Mapping[str, float]
    model: AnsweringModel
    request_id: str


def served_model(settings: UiSettings) -> AnsweringModel:
    """What serving answers with at present.

    Raises: ModelMissing while it has no model; ServiceUnavailable if it does not answer.
    """
    response = ask(PART, "GET", f"{settings.serving_url}/v1/model", timeout_s=settings.timeout_s)
    body = _body(settings, response)
    with understood(PART, response):
        return AnsweringModel.model_validate(body)


def predict(settings: UiSettings, row: Row) -> Prediction | Problem:
    """Which cover type grows in a cell, by the champion; or what of the row is outside the contract.

    Raises: ModelMissing while serving has no model; ServiceUnavailable if it does not answer.
    """
    url = f"{settings.serving_url}/v1/predictions"
    response = ask(PART, "POST", url, timeout_s=settings.timeout_s, json=dict(row))
    if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
        with understood(PART, response):
            return Problem.model_validate(json_of(PART, response))
    body = _body(settings, response)
    with understood(PART, response):
        first = body["predictions"][0]
        return Prediction(
            cover_type=str(first["cover_type_name"]),
            probabilities={str(name): float(share) for name, share in first["probabilities"].items()},
            model=AnsweringModel.model_validate(body["model"]),
            request_id=str(body["request_id"]),
        )


def _body(settings: UiSettings, response: httpx.Response) -> Any:
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise ModelMissing(settings.model_name, "serving has none loaded")
    if not response.is_success:
        raise ServiceUnavailable(PART, str(response.url), f"it answered {response.status_code}")
    return json_of(PART, response)
