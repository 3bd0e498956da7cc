"""The prediction service, as the pages ask it: an answer, or what of the rows is outside the contract."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import TypeVar

from pydantic import ValidationError

from clients.predictions import AnsweredFile, PredictionClient, Predictions
from contracts.covertype import Column
from contracts.errors import ModelMissing, PredictionRefused, ServiceUnavailable
from contracts.plain_files import read_plain
from contracts.prediction import AnsweringModel, Problem
from ui.settings import TIMEOUT_S, UiSettings

PART = "The prediction service"
REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)

# How many values of a number are asked about, to see what would change an answer.
STEPS = 41

Answer = TypeVar("Answer")
Row = Mapping[str, int | str]
Points = Sequence[tuple[int | str, Mapping[str, float]]]


def served_model(settings: UiSettings) -> AnsweringModel:
    """Returns what serving answers with at present.

    Raises: ModelMissing while it has no model; ServiceUnavailable if it does not answer.
    """
    try:
        return AnsweringModel.model_validate(_client(settings).model().model_dump())
    except PredictionRefused as refused:
        _problem(settings, refused, ())
        raise


def predict(settings: UiSettings, row: Row) -> Predictions | Problem:
    """Returns which cover type grows in a cell, by the champion; or what of the row is outside the contract.

    Raises: ModelMissing while serving has no model; ServiceUnavailable if it does not answer.
    """
    found = _ask(settings, lambda client: client.predict_row(row))
    if isinstance(found, Predictions) and not found.predictions:
        raise ServiceUnavailable(PART, settings.serving_url, "its answer holds no prediction")
    return found


def values_of(column: Column, present: int | str, ranges: Mapping[str, tuple[int, int]]) -> list[int | str]:
    """Returns what a feature is set to: all its names, or steps over the range that the collection has.

    Args:
        column: The feature.
        present: The cell's own value, which is always among them.
        ranges: Lowest and highest value seen, by name; the contract's bounds where there is none.
    """
    if column.choices:
        return list(column.values)
    low, high = ranges.get(column.name, (column.minimum or 0, column.maximum or 0))
    low, high = min(low, int(present)), max(high, int(present))
    steps = {round(low + (high - low) * step / (STEPS - 1)) for step in range(STEPS)}
    return sorted(steps | {int(present)})


def vary(settings: UiSettings, cell: Row, column: Column, values: list[int | str]) -> Points | Problem:
    """Returns the shares of all cover types at each value.

    Raises: ModelMissing while serving has no model; ServiceUnavailable if it does not answer.
    """
    rows = [{**cell, column.name: value} for value in values]
    found = _ask(settings, lambda client: client.predict(rows))
    if isinstance(found, Problem):
        return found
    return [(value, answer.probabilities) for value, answer in zip(values, found.predictions, strict=True)]


def predict_file(settings: UiSettings, content: bytes, kind: str, answer_kind: str) -> AnsweredFile | Problem:
    """Answers a file of rows; or what of it is outside the contract.

    Args:
        settings: Where the service is.
        content: The file.
        kind: Its content type, such as `text/csv` or `application/vnd.apache.parquet`.
        answer_kind: The content type of the answer.

    Raises: ModelMissing while serving has no model; ServiceUnavailable if it does not answer.
    """
    return _ask(settings, lambda client: client.answer_file(content, kind, answer_kind), REFUSED)


def _ask(
    settings: UiSettings,
    ask: Callable[[PredictionClient], Answer],
    told: Collection[int] = (HTTPStatus.UNPROCESSABLE_ENTITY,),
) -> Answer | Problem:
    try:
        return ask(_client(settings))
    except PredictionRefused as refused:
        return _problem(settings, refused, told)


def _problem(settings: UiSettings, refused: PredictionRefused, told: Collection[int]) -> Problem:
    """Returns what the service does not accept, where its status is one that a person is told of."""
    if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        raise ModelMissing(settings.model_name, "serving has none loaded") from refused
    reason = f"it answered {refused.status}"
    if refused.status in told:
        try:
            return Problem.model_validate(refused.problem)
        except ValidationError:
            reason = "its answer is not understood"
    raise ServiceUnavailable(PART, settings.serving_url, reason) from refused


def _client(settings: UiSettings) -> PredictionClient:
    return _opened(settings.serving_url, _key(settings), TIMEOUT_S)


@lru_cache(maxsize=8)
def _opened(url: str, key: str, timeout_s: float) -> PredictionClient:
    """Returns what is kept open: to make one reads all certificates, which takes longer than most answers."""
    return PredictionClient(url, key, timeout_s=timeout_s)


def _key(settings: UiSettings) -> str:
    """Returns the key; without one the service itself says what is missing."""
    try:
        secret = read_plain(settings.serving_key_file.expanduser()).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return secret if secret.isprintable() else ""
