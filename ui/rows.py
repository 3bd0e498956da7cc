"""Many cells in one request to the prediction service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from contracts.errors import ModelMissing, ServiceUnavailable
from contracts.prediction import AnsweringModel, Problem
from ui.calls import ask, json_of, understood
from ui.prediction import PART, Prediction, Row
from ui.settings import UiSettings


def predict_rows(settings: UiSettings, rows: Sequence[Row]) -> list[Prediction] | Problem:
    """Which cover type grows in each cell, in their order; or what of the rows is outside the contract.

    Raises: ModelMissing while serving has no model; ServiceUnavailable if it does not answer.
    """
    url = f"{settings.serving_url}/v1/predictions"
    document = {"rows": [dict(row) for row in rows]}
    response = ask(PART, "POST", url, timeout_s=settings.timeout_s, json=document)
    if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
        with understood(PART, response):
            return Problem.model_validate(json_of(PART, response))
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise ModelMissing(settings.model_name, "serving has none loaded")
    if not response.is_success:
        raise ServiceUnavailable(PART, url, f"it answered {response.status_code}")
    body = json_of(PART, response)
    with understood(PART, response):
        model, request_id = AnsweringModel.model_validate(body["model"]), str(body["request_id"])
        return [_prediction(item, model, request_id) for item in body["predictions"]]


def _prediction(item: Mapping[str, Any], model: AnsweringModel, request_id: str) -> Prediction:
    return Prediction(
        cover_type=str(item["cover_type_name"]),
        probabilities={str(name): float(share) for name, share in item["probabilities"].items()},
        model=model,
        request_id=request_id,
    )
