"""The prediction service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp

from contracts.covertype import covertype
from contracts.hosts import HostRule, allowed_hosts
from lake.settings import LakeSettings
from serving.auth.api_key_auth import ApiKeyAuth
from serving.auth.keys import KeyFile, KeyRing, make_first_keys
from serving.http.api_page import page_route
from serving.http.batch import BatchEndpoint
from serving.http.metrics import Metrics
from serving.http.openapi import describe
from serving.http.outside import Outside
from serving.http.predictions import PredictionsEndpoint
from serving.http.request_middleware import BATCH, PREDICTIONS, RequestMiddleware
from serving.http.routes import health_routes, model_routes
from serving.log.prediction_log import PredictionLog
from serving.model.alias_follower import AliasFollower
from serving.settings import ServingSettings

ABOUT: dict[str, Any] = {
    "title": "Canopy predictions",
    "version": "1",
    "description": "Which kind of forest grows in a 30 m cell, from twelve cartographic variables.",
    # A page of our own (serving/http/api_page.py): FastAPI's load whatever a CDN gives them.
    "docs_url": None,
    "redoc_url": None,
    # A redirect would repeat the host that the caller names.
    "redirect_slashes": False,
}


def create_app(settings: ServingSettings | None = None, lake: LakeSettings | None = None) -> FastAPI:
    """Returns the service; it starts to follow the champion when it starts up.

    Args:
        settings: Read from the environment if not given, as uvicorn's `--factory` wants it.
        lake: Where predictions are kept; from the environment if not given.

    Raises: KeyFileUnusable, SettingsInvalid.
    """
    settings, lake = settings or ServingSettings(), lake or LakeSettings()
    make_first_keys(settings)
    contract, metrics = covertype(), Metrics()
    champion = AliasFollower(settings, contract, metrics)
    shadow = (
        AliasFollower(settings, contract, metrics, settings.shadow_alias) if settings.shadow_alias else None
    )
    outside = Outside(contract, settings.batch_row_limit, settings.batch_body_limit_bytes)
    log = PredictionLog(settings, lake, metrics, shadow, outside)
    ring = KeyRing(KeyFile(settings.keys))
    endpoints: dict[str, ASGIApp] = {
        PREDICTIONS: PredictionsEndpoint(settings, contract, champion, log),
        BATCH: BatchEndpoint(settings, contract, champion, log, outside),
    }
    parts: list[PredictionLog | AliasFollower] = [log, champion, *([shadow] if shadow else [])]
    app = FastAPI(**ABOUT, lifespan=partial(_running, parts, outside))
    # The front answers these itself; as routes they tell other methods what is allowed.
    app.router.routes.extend(Route(path, endpoint, methods=["POST"]) for path, endpoint in endpoints.items())
    app.router.routes.append(page_route())
    app.include_router(model_routes(contract, champion))
    app.include_router(health_routes(champion, shadow, log, ring, metrics))
    document: Any = lru_cache(maxsize=1)(partial(describe, app, settings, contract))
    app.openapi = document  # type: ignore[method-assign]
    # In place of all that the framework puts around an application: the front answers errors itself.
    routes, hosts = AsyncExitStackMiddleware(app.router), HostRule(allowed_hosts(settings.allowed_hosts))
    app.middleware_stack = RequestMiddleware(routes, ApiKeyAuth(ring, settings), endpoints, metrics, hosts)
    app.state.champion, app.state.log, app.state.outside = champion, log, outside
    return app


@asynccontextmanager
async def _running(
    parts: Sequence[PredictionLog | AliasFollower], outside: Outside, _: FastAPI
) -> AsyncIterator[None]:
    """Starts the parts that work in the background, and ends them the other way round."""
    for part in parts:
        part.start()
    yield
    for part in reversed(parts):
        part.stop()
    outside.stop()
