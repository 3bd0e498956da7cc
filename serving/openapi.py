"""The OpenAPI document: true schemas, with the contract's units, bounds and examples."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from contracts.covertype import Contract
from contracts.prediction import (
    AnsweringModel,
    ModelCard,
    Problem,
    example_row,
    reply_type,
    row_type,
    rows_type,
)
from serving.problems import problem_schema
from serving.settings import ServingSettings

SCHEMAS = "#/components/schemas/{model}"


class Readiness(BaseModel):
    """The service can predict."""

    status: str = Field(examples=["ready"])
    model: AnsweringModel
    problem: str | None = Field(description="Why the alias is not followed at present; null if it is.")
    checked_at: str | None = Field(description="When the registry last answered, in UTC.")


def _refer(name: str) -> dict[str, str]:
    return {"$ref": SCHEMAS.format(model=name)}


def _reply(name: str, description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _refer(name)}}}


NO_MODEL = problem_schema("There is no model to answer with yet.")
PREDICTION_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: _reply("Predictions", "One prediction a row, in the order of the rows."),
    400: problem_schema("The body is not JSON."),
    413: problem_schema("The body is too large."),
    415: problem_schema("The content type is not application/json."),
    422: problem_schema("Values are outside the contract; `errors` names each."),
    503: NO_MODEL,
}
MODEL_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: _reply("ModelCard", "The model that answers at present."),
    503: NO_MODEL,
}
READY_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: _reply("Readiness", "A prediction can be made."),
    503: NO_MODEL,
}
PREDICTION_REQUEST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"oneOf": [_refer("Row"), _refer("Rows")]}}},
    }
}


def describe(app: FastAPI, settings: ServingSettings, contract: Contract) -> dict[str, Any]:
    """The OpenAPI document of the service."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    row = row_type(contract)
    _, schemas = models_json_schema(
        [
            (row, "validation"),
            (rows_type(row, settings.row_limit), "validation"),
            (reply_type(contract), "serialization"),
            (ModelCard, "serialization"),
            (Readiness, "serialization"),
            (Problem, "serialization"),
        ],
        ref_template=SCHEMAS,
    )
    document.setdefault("components", {}).setdefault("schemas", {}).update(schemas["$defs"])
    body = document["paths"]["/v1/predictions"]["post"]["requestBody"]["content"]["application/json"]
    body["examples"] = _examples(contract)
    return document


def _examples(contract: Contract) -> dict[str, Any]:
    row = example_row(contract)
    return {
        "one row": {"value": row},
        "many rows": {"value": {"rows": [row, row]}},
    }
