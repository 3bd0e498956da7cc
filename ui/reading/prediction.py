"""The prediction service, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from clients.calls import ask, json_of, understood
from contracts.errors import ModelMissing, ServiceUnavailable
from contracts.plain_files import read_plain
from contracts.prediction import AnsweringModel, Flag, Problem
from ui.settings import UiSettings

PART = "The prediction service"
FILE_TIMEOUT_S = 300.0
REFUSED = (httpx.codes.BAD_REQUEST, httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.UNPROCESSABLE_ENTITY)

Row = Mapping[str, int | str]


@dataclass(frozen=True)
class Prediction:
    """One answered row.

    Attributes:
        cover_type: The class with the highest probability, by name.
        probabilities: Share by class name, in the contract's order.
        model: What answered.
        request_id: Leads to the prediction log.
        flags: What of the row the model has hardly seen.
    """

    cover_type: str
    probabilities: Mapping[str, float]
    model: AnsweringModel
    request_id: str
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True)
class AnsweredFile:
    """The answers to a file of rows.

    Attributes:
        content: In the kind that was asked for, a row each, in their order.
        model_version: What answered.
        request_id: Leads to the prediction log.
    """

    content: bytes
    model_version: str
    request_id: str


def served_model(settings: UiSettings) -> AnsweringModel:
    """What serving answers with at present.

    Raises: ModelMissing while it has no model; ServiceUnavailable if it does not answer.
    """
    url = f"{settings.serving_url}/v1/model"
    response = ask(PART, "GET", url, timeout_s=settings.timeout_s, headers=_key(settings))
    body = _body(settings, response)
    with understood(PART, response):
        return AnsweringModel.model_validate(body)


def predict(settings: UiSettings, row: Row) -> Prediction | Problem:
    """Which cover type grows in a cell, by the champion; or what of the row is outside the contract.

    Raises: ModelMissing while serving has no model; ServiceUnavailable if it does not answer.
    """
    answers = _predictions(settings, dict(row))
    return answers if isinstance(answers, Problem) else answers[0]


def predict_rows(settings: UiSettings, rows: Sequence[Row]) -> list[Prediction] | Problem:
    """The same for a few cells at once, in their order.

    Raises: ModelMissing while serving has no model; ServiceUnavailable if it does not answer.
    """
    return _predictions(settings, {"rows": [dict(row) for row in rows]})


def predict_file(settings: UiSettings, content: bytes, kind: str, answer_kind: str) -> AnsweredFile | Problem:
    """Answers a file of rows; or what of it is outside the contract.

    Args:
        settings: Where the service is.
        content: The file.
        kind: Its content type, such as `text/csv` or `application/vnd.apache.parquet`.
        answer_kind: The content type of the answer.

    Raises: ModelMissing while serving has no model; ServiceUnavailable if it does not answer.
    """
    url = f"{settings.serving_url}/v1/predictions:batch"
    headers = _key(settings) | {"Content-Type": kind, "Accept": answer_kind}
    response = ask(PART, "POST", url, timeout_s=FILE_TIMEOUT_S, content=content, headers=headers)
    if response.status_code in REFUSED:
        with understood(PART, response):
            return Problem.model_validate(json_of(PART, response))
    _require_success(settings, response)
    with understood(PART, response):
        version, request_id = response.headers["X-Model-Version"], response.headers["X-Request-ID"]
        return AnsweredFile(response.content, version, request_id)


def _predictions(settings: UiSettings, document: Mapping[str, Any]) -> list[Prediction] | Problem:
    url, headers = f"{settings.serving_url}/v1/predictions", _key(settings)
    response = ask(PART, "POST", url, timeout_s=settings.timeout_s, json=document, headers=headers)
    if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
        with understood(PART, response):
            return Problem.model_validate(json_of(PART, response))
    body = _body(settings, response)
    with understood(PART, response):
        model, request_id = AnsweringModel.model_validate(body["model"]), str(body["request_id"])
        return [_prediction(item, model, request_id) for item in body["predictions"]]


def _prediction(item: Mapping[str, Any], model: AnsweringModel, request_id: str) -> Prediction:
    return Prediction(
        cover_type=str(item["cover_type_name"]),
        probabilities={str(name): float(share) for name, share in item["probabilities"].items()},
        model=model,
        request_id=request_id,
        flags=tuple(Flag.model_validate(flag) for flag in item["flags"]),
    )


def _key(settings: UiSettings) -> dict[str, str]:
    """The header with the key; without a key the service itself says what is missing."""
    try:
        secret = read_plain(settings.serving_key_file.expanduser()).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return {}
    return {"Authorization": f"Bearer {secret}"} if secret.isprintable() else {}


def _body(settings: UiSettings, response: httpx.Response) -> Any:
    _require_success(settings, response)
    return json_of(PART, response)


def _require_success(settings: UiSettings, response: httpx.Response) -> None:
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise ModelMissing(settings.model_name, "serving has none loaded")
    if not response.is_success:
        raise ServiceUnavailable(PART, str(response.url), f"it answered {response.status_code}")
