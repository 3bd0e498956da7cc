"""The service: it answers as the real one does, whims included."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pyarrow as pa
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.hosts import HostGuard, allowed_hosts
from source.simulator import documentation
from source.simulator.counters import Counters
from source.simulator.dirt import Dirt
from source.simulator.drift import ordered
from source.simulator.editions import EDITIONS, Edition
from source.simulator.faults import on_data
from source.simulator.forms import FORMS_WITH_A_DAY, Day, content
from source.simulator.journal import Journal, Served
from source.simulator.settings import SimulatorSettings
from source.simulator.slices import Slices, rows_of

ROWS_HEADER = (b"x-canopy-rows", b"synthetic")

logger = logging.getLogger(__name__)


def create_app(
    settings: SimulatorSettings, rows: pa.Table | None = None, clock: Callable[[], float] = time.time
) -> FastAPI:
    """Returns the service, for one worker.

    Args:
        settings: Which edition, which rows, which window.
        rows: Strings, shape (n_rows, 13); read or drawn as the settings say where None.
        clock: Seconds that only go forward.

    Raises: RowsUnreadable, SettingsInvalid.
    """
    is_synthetic = rows is None and settings.rows is None
    table = ordered(rows_of(settings) if rows is None else rows, settings.drift)
    app = FastAPI(title="Covertype source API (simulator)", version=settings.version)
    _serve(app, settings, Slices(table, settings.seed), clock)
    journal = Journal(settings.journal) if settings.journal else None
    app.add_middleware(on_data, settings=settings, journal=journal)
    if is_synthetic:
        app.add_middleware(says_synthetic)
    # Its GETs take batches away and start over, as those of the service that it plays do.
    app.add_middleware(HostGuard, allowed=allowed_hosts(settings.allowed_hosts), takes_links=False)
    return app


def says_synthetic(app: ASGIApp) -> ASGIApp:
    """Marks each answer: the rows behind it are drawn."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], ROWS_HEADER]}
            await send(message)

        await app(scope, receive, marked)

    return answer


def _serve(app: FastAPI, settings: SimulatorSettings, slices: Slices, clock: Callable[[], float]) -> None:
    edition = EDITIONS[settings.version]
    counters = Counters(settings.state)
    dirt = Dirt(settings.dirt_share, has_codes=settings.form != "one_hot")
    # Async and without an await: one request after the other, as in the service.
    group_query = Query() if edition.bad_group else Query(ge=1, le=edition.last)
    asked_day = Depends(_day if settings.form in FORMS_WITH_A_DAY else _no_day)

    @app.get("/")
    async def root() -> dict[str, str]:
        return {"Proyecto 2": "Extracción de datos, entrenamiento de modelos."}

    @app.get("/data", responses=documentation.of_data(edition, settings.form))
    async def read_data(
        request: Request, group_number: int = group_query, day: Day | None = asked_day
    ) -> JSONResponse:
        _check_group(group_number, edition)
        if counters.batch(group_number) >= edition.last:
            raise HTTPException(400, edition.end)
        counters.advance(group_number, clock(), settings.window_s)
        batch = counters.batch(group_number)
        # A deployment that slices by batch starts at row 0: each of ten batches has a whole slice.
        drawn = slices.sample(group_number if settings.slicing == "group" else batch - 1)
        counters.save()
        request.state.served = Served(group_number, batch, len(drawn))
        return JSONResponse(content(settings.form, group_number, batch, day, dirt.spoiled(drawn)))

    @app.get("/restart_data_generation", responses=documentation.of_restart(edition))
    async def restart_data(group_number: int = group_query, _day: Day | None = asked_day) -> JSONResponse:
        _check_group(group_number, edition)
        counters.reset(group_number)
        counters.save()
        return JSONResponse(["ok"])

    @app.exception_handler(KeyError)  # group 11 has no counter
    @app.exception_handler(ValueError)  # the last slice has two rows
    async def broken(request: Request, error: Exception) -> PlainTextResponse:
        logger.warning("answered_500 path=%s query=%s reason=%r", request.url.path, request.url.query, error)
        return PlainTextResponse("Internal Server Error", status_code=500)


def _check_group(group: int, edition: Edition) -> None:
    if edition.bad_group and not 1 <= group <= edition.last:
        raise HTTPException(400, edition.bad_group)


async def _day(day: Day) -> Day:
    return day


async def _no_day() -> None:
    return None
