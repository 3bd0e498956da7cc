"""The wire types of a prediction, made from the data contract."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, create_model

from contracts.covertype import Column, Contract

FORBID = ConfigDict(extra="forbid")

# The first row of the public Covertype set, in the contract's order.
EXAMPLE_VALUES = (2596, 51, 3, 258, 0, 510, 221, 232, 148, 6279, "Rawah", "C7745")
Reason = Literal["missing", "unknown", "type", "bounds", "choice", "count"]


class Violation(BaseModel):
    """One value that the contract does not allow."""

    row: int | None = Field(description="Number of the row in the request, from 1; null for the request.")
    field: str | None = Field(description="Name of the field; null where the whole row is meant.")
    value: Any = Field(description="What was sent; null where the field is missing.")
    allowed: str = Field(description="What the contract allows.")
    reason: Reason


class Problem(BaseModel):
    """An error, as RFC 9457 describes it."""

    type: str = Field(description="What kind of problem it is, as a stable URN.")
    title: str
    status: int
    detail: str = Field(description="What is wrong with this request and what to do next.")
    request_id: str
    errors: list[Violation] = Field(default=[], description="With 422: each value outside the contract.")


class FlagCode(StrEnum):
    """Why an answer deserves less trust than the model's scores."""

    RARE = "rare"
    UNSEEN = "unseen"
    OUTSIDE = "outside_training_range"


class Flag(BaseModel):
    """One value that the model has hardly seen."""

    field: str
    code: FlagCode
    detail: str = Field(description="What the model has seen instead.")


class AnsweringModel(BaseModel):
    """The version that answered."""

    name: str
    version: str
    snapshot_id: str | None = Field(description="Snapshot of the lake that it was trained on.")


class Scores(BaseModel):
    """Scores on rows that the model has never seen, with a 95 % interval."""

    macro_f1: float | None
    macro_f1_low: float | None
    macro_f1_high: float | None
    accuracy: float | None


class Feature(BaseModel):
    """One field of a row."""

    name: str
    kind: Literal["integer", "string"]
    unit: str | None
    minimum: int | None
    maximum: int | None
    values: list[str] = Field(description="All allowed values of an enumerated field, else empty.")
    description: str


class ModelCard(BaseModel):
    """The model that answers at present."""

    name: str
    version: str
    alias: str
    snapshot_id: str | None
    contract_version: str
    scores: Scores
    features: list[Feature]
    classes: list[str] = Field(description="Cover types by name; the position is the class number.")


def row_type(contract: Contract) -> type[BaseModel]:
    """Returns the type of one row of a request: each feature required, nothing else accepted."""
    fields: dict[str, Any] = {column.name: _request_field(column) for column in contract.features}
    extra: dict[str, Any] = {"examples": [example_row(contract)]}
    return create_model(
        "Row",
        __config__=FORBID | ConfigDict(json_schema_extra=extra),
        __doc__="One 30 m cell of forest.",
        **fields,
    )


def rows_type(row: type[BaseModel], row_limit: int) -> type[BaseModel]:
    """Returns the type of a request of many rows, as OpenAPI shows it."""
    rows = Field(min_length=1, max_length=row_limit, description=f"1 to {row_limit} rows.")
    fields: dict[str, Any] = {"rows": (list[row], rows)}  # type: ignore[valid-type]
    return create_model("Rows", __config__=FORBID, __doc__="Many cells of forest.", **fields)


def reply_type(contract: Contract) -> type[BaseModel]:
    """Returns the type of the reply: for each row, in order, its cover type and the shares of all types."""
    # A Literal made at run time is what pydantic reads as an enumeration.
    names: Any = Literal[contract.class_names]
    label = contract.label
    prediction: dict[str, Any] = {
        "cover_type": (int, Field(ge=label.minimum, le=label.maximum, description=label.description)),
        "cover_type_name": (names, ...),
        "probabilities": (dict[names, float], Field(description="Share of each cover type; they sum to 1.")),
        "flags": (list[Flag], Field(description="What of the row the model has hardly seen.")),
    }
    reply: dict[str, Any] = {
        "request_id": (str, ...),
        "model": (AnsweringModel, ...),
        "predictions": (list[create_model("Prediction", **prediction)], ...),  # type: ignore[misc]
    }
    return create_model("Predictions", __doc__="One prediction a row, in the order of the rows.", **reply)


def features(contract: Contract) -> list[Feature]:
    """Returns the fields of a row as `GET /v1/model` tells them."""
    return [Feature.model_validate(column, from_attributes=True) for column in contract.features]


def example_row(contract: Contract) -> dict[str, int | str]:
    """Returns a real row that a person can send."""
    return dict(zip((column.name for column in contract.features), EXAMPLE_VALUES, strict=True))


def allowed(column: Column) -> str:
    """Returns what a field accepts, in words: `integer from 0 to 90`, `one of Rawah, Neota, …`."""
    if column.choices:
        return f"one of {', '.join(column.values)}"
    return f"integer from {column.minimum} to {column.maximum}"


def _request_field(column: Column) -> tuple[Any, Any]:
    describe = partial(Field, description=_description(column), json_schema_extra=_unit(column))
    if column.choices:
        return Literal[column.values], describe()
    return StrictInt, describe(ge=column.minimum, le=column.maximum)


def _description(column: Column) -> str:
    return f"{column.description} Unit: {column.unit}." if column.unit else column.description


def _unit(column: Column) -> dict[str, Any] | None:
    return {"x-unit": column.unit} if column.unit else None


def named(violations: Sequence[Violation]) -> list[dict[str, Any]]:
    """Returns the violations as they go over the wire."""
    return [violation.model_dump() for violation in violations]
