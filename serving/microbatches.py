"""Requests that come in at one moment are put to the model together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from serving.model import Model, Row

# More rows than these take longer than handing them to another thread.
INLINE_ROWS = 16

# Classes, and the shares of all classes, of one request.
Answer = tuple[list[int], list[list[float]]]


class Microbatches:
    """Gathers what comes in one turn of the event loop, and asks once: nobody waits for another to come."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Model, Sequence[Row], asyncio.Future[Answer]]] = []

    async def ask(self, model: Model, rows: Sequence[Row]) -> Answer:
        """The model's answer to these rows."""
        if len(rows) > INLINE_ROWS:
            return await asyncio.to_thread(answer, model, rows)
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[Answer] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._ask_all)
        self._waiting.append((model, rows, mine))
        return await mine

    def _ask_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        while waiting:
            model = waiting[0][0]
            # While a model is swapped, requests of one moment may be meant for two.
            mine = [item for item in waiting if item[0] is model]
            waiting = [item for item in waiting if item[0] is not model]
            _settle(model, mine)


def answer(model: Model, rows: Sequence[Row]) -> Answer:
    """Classes and shares as plain numbers; shares have six decimals."""
    labels, probabilities = model.predict(rows)
    return labels.tolist(), np.round(probabilities.astype(np.float64), 6).tolist()


def _settle(model: Model, asked: Sequence[tuple[Model, Sequence[Row], asyncio.Future[Answer]]]) -> None:
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
