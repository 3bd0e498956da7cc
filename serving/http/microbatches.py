"""Requests that come in at one moment are put to the model together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from serving.http.body import running_loop
from serving.log.record import Answer
from serving.model.loaded import Model, Row

# More rows than these take longer than handing them to another thread.
INLINE_ROWS = 16
# So many requests are asked at once; more would wait for each other.
GATHERED = 16
# A request that is read in one turn asks in the next.
QUIET_TURNS = 2


class Microbatches:
    """Gathers what comes in, turn by turn of the event loop, and asks once none came in a turn.

    Nobody waits for another to come: a turn in which nothing comes takes microseconds. Under load the next
    requests are read while the first ones wait, and the features of all are computed in one run.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Model, Sequence[Row], asyncio.Future[Answer]]] = []
        self._seen = self._quiet = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, model: Model, rows: Sequence[Row]) -> Answer:
        """Returns the model's answer to these rows."""
        if len(rows) > INLINE_ROWS:
            return await asyncio.to_thread(answer, model, rows)
        loop = self._loop = running_loop(self._loop)
        mine: asyncio.Future[Answer] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._gather, loop)
        self._waiting.append((model, rows, mine))
        return await mine

    def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        count = len(self._waiting)
        self._quiet = self._quiet + 1 if count == self._seen else 0
        self._seen = count
        if self._quiet < QUIET_TURNS and count < GATHERED:
            loop.call_soon(self._gather, loop)
        else:
            self._quiet = self._seen = 0
            self._ask_all()

    def _ask_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        while waiting:
            model = waiting[0][0]
            # While a model is swapped, requests of one moment may be meant for two.
            mine = [item for item in waiting if item[0] is model]
            waiting = [item for item in waiting if item[0] is not model]
            _set_results(model, mine)


def answer(model: Model, rows: Sequence[Row]) -> Answer:
    """Returns classes and shares as plain numbers; shares have six decimals."""
    labels, probabilities = model.predict(rows)
    return labels.tolist(), np.round(probabilities.astype(np.float64), 6).tolist()


def _set_results(model: Model, asked: Sequence[tuple[Model, Sequence[Row], asyncio.Future[Answer]]]) -> None:
    try:
        labels, shares = answer(model, [row for _, rows, _ in asked for row in rows])
    except Exception as error:  # each request answers it with its own problem
        for _, _, future in asked:
            if not future.done():
                future.set_exception(error)
        return
    start = 0
    for _, rows, future in asked:
        end = start + len(rows)
        if not future.done():  # else its caller is gone
            future.set_result((labels[start:end], shares[start:end]))
        start = end
