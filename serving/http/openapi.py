"""The OpenAPI document: true schemas, with the contract's units, bounds and examples."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
from serving.http.problems import problem_schema
from serving.http.request_middleware import BATCH, KEPT, PREDICTIONS
from serving.settings import ServingSettings
from tabular.formats import ARROW, CSV, JSON_LINES, PARQUET

SCHEMAS = "#/components/schemas/{model}"


class Readiness(BaseModel):
    """The service can predict."""

    status: str = Field(examples=["ready"])
    model: AnsweringModel
    problem: str | None = Field(description="Why the alias is not followed at present; null if it is.")
    checked_at: str | None = Field(description="When the registry last answered, in UTC.")
    shadow: AnsweringModel | None = Field(description="A version that is asked too and never answers.")
    log_problem: str | None = Field(
        description="Why predictions wait on this machine instead of going to the lake; null if they do not."
    )


def _refer(name: str) -> dict[str, str]:
    return {"$ref": SCHEMAS.format(model=name)}


def _reply(name: str, description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _refer(name)}}}


NO_MODEL = problem_schema("There is no model to answer with yet.")
BEHIND_A_KEY: dict[int | str, dict[str, Any]] = {
    401: problem_schema("There is no API key, or it is unknown or revoked."),
    403: problem_schema("The API key has not the scope that this needs."),
    429: problem_schema("The API key has asked too often; Retry-After says when to ask again."),
}
SENT: dict[int | str, dict[str, Any]] = {
    400: problem_schema("The body cannot be read."),
    408: problem_schema("The body did not come in time."),
    413: problem_schema("The body is too large."),
    415: problem_schema("The content type is another."),
    422: problem_schema("Values are outside the contract; `errors` names each."),
}
MODEL_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: _reply("ModelCard", "The model that answers at present."),
    401: BEHIND_A_KEY[401],
    429: BEHIND_A_KEY[429],
    503: NO_MODEL,
}
RELOAD_RESPONSES = MODEL_RESPONSES | BEHIND_A_KEY
READY_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: _reply("Readiness", "A prediction can be made."),
    503: NO_MODEL,
}
METRICS_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Prometheus's text format.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}
SECURITY = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key. `/v1/model:reload` needs the scope admin, all else predict.",
    }
}


def describe(app: FastAPI, settings: ServingSettings, contract: Contract) -> dict[str, Any]:
    """Returns the OpenAPI document of the service."""
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
    document["components"]["securitySchemes"] = SECURITY
    document["paths"] |= {PREDICTIONS: {"post": _predictions(contract)}, BATCH: {"post": _batch(contract)}}
    for path, operations in document["paths"].items():
        for operation in operations.values() if path.startswith(KEPT) else ():
            operation["security"] = [{"key": []}]
    return document


def _predictions(contract: Contract) -> dict[str, Any]:
    row = example_row(contract)
    sent = {
        "schema": {"oneOf": [_refer("Row"), _refer("Rows")]},
        "examples": {"one row": {"value": row}, "many rows": {"value": {"rows": [row, row]}}},
    }
    return {
        "tags": ["predictions"],
        "summary": "Predict the cover type of one row or of many",
        "operationId": "predict",
        "requestBody": {"required": True, "content": {"application/json": sent}},
        "responses": _responses(
            {200: _reply("Predictions", "One prediction a row, in the order of the rows.")}
        ),
    }


def _batch(contract: Contract) -> dict[str, Any]:
    row = example_row(contract)
    lines = {
        CSV: f"{','.join(row)}\n{','.join(map(str, row.values()))}\n",
        JSON_LINES: json.dumps(row) + "\n",
    }
    binary = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in (PARQUET, ARROW)}
    sent = {kind: {"schema": {"type": "string"}, "example": text} for kind, text in lines.items()}
    answered = {kind: {"schema": {"type": "string"}} for kind in lines}
    return {
        "tags": ["predictions"],
        "summary": "Predict the cover types of a file of rows",
        "description": "One answer a row, in the order of the rows, in the first content type of Accept that "
        "is known, else in that of the body.",
        "operationId": "predict_batch",
        "requestBody": {"required": True, "content": sent | binary},
        "responses": _responses(
            {
                200: {"description": "One answer a row.", "content": answered | binary},
                406: problem_schema("No answer can be given in what is accepted."),
            }
        ),
    }


def _responses(own: Mapping[int | str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns all that a path with a body may answer, by status."""
    found = SENT | BEHIND_A_KEY | {503: NO_MODEL} | dict(own)
    return {str(status): found[status] for status in sorted(found, key=str)}
