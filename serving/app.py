"""The prediction service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp

from contracts.covertype import covertype
from lake.settings import LakeSettings
from serving.batch import BatchEndpoint
from serving.champion import Champion
from serving.doors import Doors
from serving.front import BATCH, PREDICTIONS, Front
from serving.keys import KeyFile, KeyRing, make_first_keys
from serving.log import PredictionLog
from serving.metrics import Metrics
from serving.openapi import describe
from serving.predictions import PredictionsEndpoint
from serving.problems import add_problem_handlers
from serving.routes import health_routes, model_routes
from serving.settings import ServingSettings

DESCRIPTION = "Which kind of forest grows in a 30 m cell, from twelve cartographic variables."


def create_app(settings: ServingSettings | None = None, lake: LakeSettings | None = None) -> FastAPI:
    """The service; it starts to follow the champion when it starts up.

    Args:
        settings: Read from the environment if not given, as uvicorn's `--factory` wants it.
        lake: Where predictions are kept; from the environment if not given.

    Raises: KeyFileUnusable, SettingsInvalid.
    """
    settings, lake = settings or ServingSettings(), lake or LakeSettings()
    make_first_keys(settings)
    contract, metrics = covertype(), Metrics()
    champion = Champion(settings, contract, metrics)
    shadow = Champion(settings, contract, metrics, settings.shadow_alias) if settings.shadow_alias else None
    log = PredictionLog(settings, lake, metrics, shadow)
    followers = [champion, shadow] if shadow else [champion]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        log.start()
        for follower in followers:
            follower.start()
        yield
        for follower in followers:
            follower.stop()
        log.stop()

    app = FastAPI(title="Canopy predictions", version="1", description=DESCRIPTION, lifespan=lifespan)
    doors = Doors(KeyRing(KeyFile(settings.keys)), settings)
    endpoints: dict[str, ASGIApp] = {
        PREDICTIONS: PredictionsEndpoint(settings, contract, champion, log),
        BATCH: BatchEndpoint(settings, contract, champion, log),
    }
    app.add_middleware(Front, doors=doors, endpoints=endpoints, metrics=metrics)
    add_problem_handlers(app)
    # The front answers these itself; as routes they tell other methods what is allowed.
    app.router.routes.extend(Route(path, endpoint, methods=["POST"]) for path, endpoint in endpoints.items())
    app.include_router(model_routes(contract, champion))
    app.include_router(health_routes(champion, shadow, log, metrics))
    document: Any = lru_cache(maxsize=1)(partial(describe, app, settings, contract))
    app.openapi = document  # type: ignore[method-assign]
    app.state.champion, app.state.log = champion, log
    return app
