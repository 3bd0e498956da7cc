"""What the service answers, path by path."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from contracts.covertype import Contract
from contracts.prediction import ModelCard, features
from contracts.reading import RequestReader
from serving.body import JSON, read_json
from serving.champion import Champion
from serving.model import Model
from serving.openapi import MODEL_RESPONSES, PREDICTION_REQUEST, PREDICTION_RESPONSES, READY_RESPONSES
from serving.problems import problem_reply
from serving.request_id import request_id
from serving.settings import ServingSettings

# Few rows take less time than handing them to another thread.
INLINE_ROWS = 16


def prediction_routes(settings: ServingSettings, contract: Contract, champion: Champion) -> APIRouter:
    """`POST /v1/predictions`."""
    router = APIRouter(tags=["predictions"])
    reader = RequestReader(contract, settings.row_limit)
    names = contract.class_names

    @router.post(
        "/v1/predictions",
        summary="Predict the cover type of one row or of many",
        responses=PREDICTION_RESPONSES,
        openapi_extra=PREDICTION_REQUEST,
    )
    async def predict(request: Request) -> Response:
        rows = reader.read(await read_json(request, settings.body_limit_bytes))
        model = champion.require()
        if len(rows) <= INLINE_ROWS:
            predictions = _predictions(model, rows, names)
        else:
            predictions = await asyncio.to_thread(_predictions, model, rows, names)
        return _json(
            {
                "request_id": request_id(request.scope),
                "model": model.version.answering,
                "predictions": predictions,
            }
        )

    return router


def model_routes(contract: Contract, champion: Champion) -> APIRouter:
    """`GET /v1/model` and `POST /v1/model:reload`."""
    router = APIRouter(tags=["model"])
    listed = features(contract)

    def card(model: Model) -> ModelCard:
        version = model.version
        return ModelCard(
            name=version.name,
            version=version.number,
            alias=version.alias,
            snapshot_id=version.answering.snapshot_id,
            contract_version=model.contract_version,
            scores=version.scores,
            features=listed,
            classes=list(contract.class_names),
        )

    @router.get("/v1/model", summary="The model that answers at present", responses=MODEL_RESPONSES)
    async def show_model() -> Response:
        return _json(card(champion.require()))

    @router.post("/v1/model:reload", summary="Look at the alias now", responses=MODEL_RESPONSES)
    async def reload_model() -> Response:
        await asyncio.to_thread(champion.check, again=True)
        return _json(card(champion.require()))

    return router


def health_routes(champion: Champion) -> APIRouter:
    """`GET /live` and `GET /ready`."""
    router = APIRouter(tags=["health"])

    @router.get("/live", summary="Whether the process answers")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get("/ready", summary="Whether a prediction can be made", responses=READY_RESPONSES)
    async def ready(request: Request) -> Response:
        model, problem, checked_at = champion.model, champion.problem, champion.checked_at
        if model is None:
            champion_missing = f"No prediction can be made: {problem}"
            return problem_reply(request, HTTPStatus.SERVICE_UNAVAILABLE, champion_missing)
        return _json(
            {
                "status": "ready",
                "model": model.version.answering,
                "problem": problem,
                "checked_at": checked_at,
            }
        )

    return router


def _predictions(model: Model, rows: list[dict[str, int | str]], names: tuple[str, ...]) -> list[Any]:
    labels, probabilities = model.predict(rows)
    shares = probabilities.astype("float64").round(6).tolist()
    return [
        {
            "cover_type": label,
            "cover_type_name": names[label],
            "probabilities": dict(zip(names, row, strict=True)),
        }
        for label, row in zip(labels.tolist(), shares, strict=True)
    ]


def _json(value: object) -> Response:
    return Response(to_json(value), media_type=JSON)
