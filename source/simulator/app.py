"""The service: it answers as the real one does, whims included."""

from __future__ import annotations

import logging
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import uvicorn
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import PlainTextResponse

from source.simulator.counters import Counters
from source.simulator.rows import read_rows
from source.simulator.settings import SimulatorSettings
from source.simulator.synthetic import generate

ROWS_HEADER = "X-Canopy-Rows"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Edition:
    """What differs between the versions of the service.

    Attributes:
        last: Its last batch, and the last group that it lets in.
        end: How it spells the end of the data.
        bad_group: Its own words for a group that does not exist; None where FastAPI answers.
    """

    last: int
    end: str
    bad_group: str | None


EDITIONS = {
    "2024": Edition(10, "Ya se recolectó toda la información minima necesaria", "Número de grupo inválido"),
    "2025": Edition(10, "Ya se recolectó toda la información mínima necesaria", None),
    "2026": Edition(11, "Ya se recolectó toda la información minima necesaria", None),
}


class Slices:
    """The rows, and the sample that a request gets of them."""

    def __init__(self, rows: pa.Table, seed: int | None) -> None:
        self._rows = rows
        self._size = rows.num_rows // 10
        self._random = random.Random(seed)  # noqa: S311  # a sample of rows, no secret

    def sample(self, place: int) -> list[list[str]]:
        """A tenth of a slice, without repeats.

        Raises: ValueError if the slice has fewer rows than a tenth of a whole one.
        """
        part = self._rows.slice(place * self._size, self._size)
        drawn = part.take(pa.array(self._random.sample(range(part.num_rows), self._size // 10)))
        return [list(row) for row in zip(*(column.to_pylist() for column in drawn.columns), strict=True)]


def create_app(
    settings: SimulatorSettings, rows: pa.Table | None = None, clock: Callable[[], float] = time.time
) -> FastAPI:
    """The service, for one worker.

    Args:
        settings: Which edition, which rows, which window.
        rows: Strings, shape (n_rows, 13); read or drawn as the settings say where None.
        clock: Seconds that only go forward.

    Raises: RowsUnreadable, SettingsInvalid.
    """
    is_synthetic = rows is None and settings.rows is None
    app = FastAPI(title="Covertype source API (simulator)")
    _serve(app, settings, Slices(_rows(settings) if rows is None else rows, settings.seed), clock)

    @app.middleware("http")
    async def say_what_rows(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await answer(request)
        if is_synthetic:
            response.headers[ROWS_HEADER] = "synthetic"
        return response

    return app


def run(settings: SimulatorSettings) -> None:
    """Serves until SIGTERM or SIGINT. Raises: RowsUnreadable, SettingsInvalid."""
    app = create_app(settings)
    # uvicorn shuts down on SIGTERM and then hands the signal on: leave with status 0 after that.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="info")


def _serve(app: FastAPI, settings: SimulatorSettings, slices: Slices, clock: Callable[[], float]) -> None:
    edition = EDITIONS[settings.version]
    counters = Counters(settings.state)
    # Async and without an await: one request after the other, as in the service.
    group_query = Query() if edition.bad_group else Query(ge=1, le=edition.last)

    @app.get("/")
    async def root() -> dict[str, str]:
        return {"Proyecto 2": "Extracción de datos, entrenamiento de modelos."}

    @app.get("/data")
    async def read_data(group_number: int = group_query) -> dict[str, Any]:
        _check_group(group_number, edition)
        if counters.batch(group_number) >= edition.last:
            raise HTTPException(400, edition.end)
        counters.advance(group_number, clock(), settings.window_s)
        batch = counters.batch(group_number)
        # A deployment that slices by batch starts at row 0: each of ten batches has a whole slice.
        data = slices.sample(group_number if settings.slicing == "group" else batch - 1)
        counters.save()
        return {"group_number": group_number, "batch_number": batch, "data": data}

    @app.get("/restart_data_generation")
    async def restart_data(group_number: int = group_query) -> list[str]:
        _check_group(group_number, edition)
        counters.reset(group_number)
        counters.save()
        return ["ok"]

    @app.exception_handler(KeyError)  # group 11 has no counter
    @app.exception_handler(ValueError)  # the last slice has two rows
    async def broken(request: Request, error: Exception) -> PlainTextResponse:
        logger.warning("answered_500 path=%s query=%s reason=%r", request.url.path, request.url.query, error)
        return PlainTextResponse("Internal Server Error", status_code=500)


def _check_group(group: int, edition: Edition) -> None:
    if edition.bad_group and not 1 <= group <= edition.last:
        raise HTTPException(400, edition.bad_group)


def _rows(settings: SimulatorSettings) -> pa.Table:
    if settings.rows:
        table = read_rows(settings.rows)
        logger.info("rows_read path=%s rows=%d", settings.rows, table.num_rows)
        return table
    table = generate(settings.synthetic_rows, settings.synthetic_seed)
    logger.warning(
        "rows_are_synthetic rows=%d seed=%d: they are drawn, not surveyed; a model of them says nothing of "
        "a forest. SIMULATOR_ROWS names a file of real ones.",
        table.num_rows, settings.synthetic_seed,
    )  # fmt: skip
    return table
