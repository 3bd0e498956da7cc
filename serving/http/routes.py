"""What the service answers beside predictions, path by path."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from contracts.covertype import Contract
from contracts.prediction import ModelCard, features
from serving.auth.keys import KeyRing
from serving.http.body import JSON
from serving.http.metrics import CONTENT_TYPE, Metrics
from serving.http.openapi import METRICS_RESPONSES, MODEL_RESPONSES, READY_RESPONSES, RELOAD_RESPONSES
from serving.http.problems import problem_reply
from serving.log.prediction_log import PredictionLog
from serving.model.alias_follower import AliasFollower
from serving.model.loaded import Model


def model_routes(contract: Contract, champion: AliasFollower) -> APIRouter:
    """Returns `GET /v1/model` and `POST /v1/model:reload`."""
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

    @router.post("/v1/model:reload", summary="Look at the alias now", responses=RELOAD_RESPONSES)
    async def reload_model() -> Response:
        await asyncio.to_thread(champion.check, again=True)
        return _json(card(champion.require()))

    return router


def health_routes(
    champion: AliasFollower, shadow: AliasFollower | None, log: PredictionLog, ring: KeyRing, metrics: Metrics
) -> APIRouter:
    """Returns `GET /live`, `GET /ready` and `GET /metrics`."""
    router = APIRouter(tags=["health"])

    @router.head("/live", include_in_schema=False)
    @router.get("/live", summary="Whether the process answers")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.head("/ready", include_in_schema=False)
    @router.get("/ready", summary="Whether a prediction can be made", responses=READY_RESPONSES)
    async def ready(request: Request) -> Response:
        model, problem, checked_at = champion.model, champion.problem, champion.checked_at
        ring.check()
        if model is None:
            champion_missing = f"No prediction can be made: {problem}"
            return problem_reply(request.scope, HTTPStatus.SERVICE_UNAVAILABLE, champion_missing)
        asked_too = shadow.model if shadow else None
        return _json(
            {
                "status": "ready",
                "model": model.version.answering,
                "problem": problem,
                "checked_at": checked_at,
                "shadow": asked_too.version.answering if asked_too else None,
                "log_problem": log.problem,
            }
        )

    @router.get("/metrics", summary="Counters for Prometheus", responses=METRICS_RESPONSES)
    async def show_metrics() -> Response:
        return Response(metrics.page(), media_type=CONTENT_TYPE)

    return router


def _json(value: object) -> Response:
    return Response(to_json(value), media_type=JSON)
