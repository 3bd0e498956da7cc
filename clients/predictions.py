"""A typed client of the prediction service.

from clients.predictions import PredictionClient

with PredictionClient("http://127.0.0.1:8000", key) as client:
    (prediction,) = client.predict([row]).predictions
    client.predict_file("cells.parquet", "answers.parquet")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from clients.calls import client_for, understood
from contracts.errors import OutputUnknown, PredictionRefused, RowsUnreadable, ServiceUnavailable
from contracts.plain_files import replaced_when_whole, require_place
from contracts.prediction import AnsweringModel, Flag, ModelCard
from tabular.content import kind_of_content
from tabular.errors import TableUnreadable
from tabular.formats import CSV, ENDINGS, format_named

PART = "The prediction service"
Answer = TypeVar("Answer", bound=BaseModel)
TIMEOUT_S, FILE_TIMEOUT_S = 30.0, 600.0
LOOKED_AT = 4096


class Prediction(BaseModel):
    """The answer to one row.

    Attributes:
        cover_type: Class number.
        cover_type_name: The same by name.
        probabilities: Share of each class by name; they sum to 1.
        flags: What of the row the model has hardly seen.
    """

    cover_type: int
    cover_type_name: str
    probabilities: dict[str, float]
    flags: list[Flag]


class Predictions(BaseModel):
    """The answer to a request: one prediction a row, in order."""

    request_id: str
    model: AnsweringModel
    predictions: list[Prediction]


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


class PredictionClient:
    """Asks the service; one may be shared by many threads."""

    def __init__(self, url: str, key: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Connects when it is first asked.

        Args:
            url: The service's address.
            key: An API key with the scope predict.
            timeout_s: How long a request may take; files have longer.
        """
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = client_for(self._url, headers=headers, timeout=timeout_s)

    def predict(self, rows: Sequence[Mapping[str, int | str]]) -> Predictions:
        """Predicts rows, each with all twelve features.

        Raises: PredictionRefused with the service's words; ServiceUnavailable.
        """
        answer = self._ask("POST", "/v1/predictions", json={"rows": [dict(row) for row in rows]})
        return self._read(Predictions, answer)

    def predict_row(self, row: Mapping[str, int | str]) -> Predictions:
        """Predicts one row; what of it is refused is named without a row's number. Raises: as `predict`."""
        return self._read(Predictions, self._ask("POST", "/v1/predictions", json=dict(row)))

    def predict_file(self, rows: Path | str, answers: Path | str) -> int:
        """Predicts a CSV, JSON, Parquet or Arrow file into another; docs/files.md says what is read.

        Args:
            rows: The file; what it is is seen by its content, so it may have any name.
            answers: Where the answers go; its name says in which format.

        Returns: Bytes written.
        Raises: PredictionRefused with the service's words; OutputUnknown; ServiceUnavailable; RowsUnreadable,
            also if both are the same file; OSError if the answers cannot be written there.
        """
        rows, answers = Path(rows), Path(answers)
        kind_of_answers(answers)  # before a long file is read
        try:
            content = rows.read_bytes()
            is_same = answers.exists() and answers.samefile(rows)
        except OSError as error:
            raise RowsUnreadable(rows, str(error)) from error
        if is_same:
            raise RowsUnreadable(rows, "the answers would be written over them", "Name another file.")
        return self.predict_content(content, answers, rows)

    def predict_content(self, content: bytes, answers: Path | str, name: Path | str = "the content") -> int:
        """Predicts what is in memory into a file.

        Args:
            content: As in a file that `predict_file` reads.
            answers: Where the answers go; its name says in which format.
            name: How a message calls the content.

        Returns: Bytes written.
        Raises: as `predict_file`.
        """
        answers = Path(answers)
        accept = kind_of_answers(answers)
        answered = self.answer_file(content, kind_of(Path(name), content), accept)
        with replaced_when_whole(answers.resolve()) as sink:
            return sink.write(answered.content)

    def answer_file(self, content: bytes, kind: str, accept: str) -> AnsweredFile:
        """Predicts the rows of a file.

        Args:
            content: The file.
            kind: Its content type, such as `text/csv` or `application/vnd.apache.parquet`.
            accept: The content type of the answer.

        Raises: PredictionRefused with the service's words; ServiceUnavailable.
        """
        headers = {"Content-Type": kind, "Accept": accept}
        options: Any = {"content": content, "headers": headers, "timeout": FILE_TIMEOUT_S}
        answer = self._ask("POST", "/v1/predictions:batch", **options)
        with understood(PART, answer):
            version, request_id = answer.headers["X-Model-Version"], answer.headers["X-Request-ID"]
            return AnsweredFile(answer.content, version, request_id)

    def model(self) -> ModelCard:
        """Returns the model that answers at present. Raises: PredictionRefused, ServiceUnavailable."""
        return self._read(ModelCard, self._ask("GET", "/v1/model"))

    def close(self) -> None:
        """Ends its connections."""
        self._http.close()

    def __enter__(self) -> PredictionClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, self._url + path, **options)
        except httpx.HTTPError as error:
            raise ServiceUnavailable(PART, self._url, str(error) or type(error).__name__) from error
        if not answer.is_success:
            raise PredictionRefused(answer.status_code, self._problem(answer))
        return answer

    def _problem(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            problem = answer.json()
        except ValueError:
            problem = None
        return problem if isinstance(problem, dict) else {"detail": f"{self._url} is another program"}

    def _read(self, kind: type[Answer], answer: httpx.Response) -> Answer:
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as error:
            raise ServiceUnavailable(PART, self._url, "its answer is not understood") from error


def kind_of_answers(answers: Path) -> str:
    """Returns the content type that a file of answers is written in.

    Raises: OutputUnknown by its name; OSError if it cannot be written there.
    """
    accept = ENDINGS.get(answers.suffix.lower())
    if accept is None:
        raise OutputUnknown(answers, list(ENDINGS))
    require_place(answers)
    return accept


def kind_of(file: Path, content: bytes) -> str:
    """Returns the content type of a file, by its first bytes; by its name where those say nothing.

    Raises: RowsUnreadable if it is no file of rows.
    """
    try:
        return kind_of_content(content[:LOOKED_AT]) or format_named(file) or CSV
    except TableUnreadable as error:
        raise RowsUnreadable(file, error.what, error.remedy) from error
