"""The prediction service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Any

from fastapi import FastAPI

from contracts.covertype import covertype
from serving.champion import Champion
from serving.openapi import describe
from serving.problems import add_problem_handlers
from serving.request_id import RequestIdMiddleware
from serving.routes import health_routes, model_routes, prediction_routes
from serving.settings import ServingSettings

DESCRIPTION = "Which kind of forest grows in a 30 m cell, from twelve cartographic variables."


def create_app(settings: ServingSettings | None = None) -> FastAPI:
    """The service; it starts to follow the champion when it starts up.

    Args:
        settings: Read from the environment if not given, as uvicorn's `--factory` wants it.
    """
    settings = settings or ServingSettings()
    contract = covertype()
    champion = Champion(settings, contract)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        champion.start()
        yield
        champion.stop()

    app = FastAPI(title="Canopy predictions", version="1", description=DESCRIPTION, lifespan=lifespan)
    app.add_middleware(RequestIdMiddleware)
    add_problem_handlers(app)
    app.include_router(prediction_routes(settings, contract, champion))
    app.include_router(model_routes(contract, champion))
    app.include_router(health_routes(champion))
    document: Any = lru_cache(maxsize=1)(partial(describe, app, settings, contract))
    app.openapi = document  # type: ignore[method-assign]
    app.state.champion = champion
    return app
