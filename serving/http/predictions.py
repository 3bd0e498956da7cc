"""`POST /v1/predictions`: JSON in, JSON out, at the speed of the web server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from contracts.covertype import Contract
from contracts.prediction import Flag
from serving.headers import request_id
from serving.http.body import JSON, Bodies, content_type
from serving.http.microbatches import INLINE_ROWS, Microbatches
from serving.http.reading import BodyReader
from serving.log.prediction_log import PredictionLog, Reply
from serving.log.record import Answer, lines_of
from serving.model.alias_follower import AliasFollower
from serving.model.loaded import Model, Row
from serving.settings import ServingSettings

encode = msgspec.json.Encoder(enc_hook=lambda value: value.model_dump()).encode


class PredictionsEndpoint:
    """An ASGI application of one path. The web framework's own way to it takes longer than the model does."""

    def __init__(
        self, settings: ServingSettings, contract: Contract, champion: AliasFollower, log: PredictionLog
    ) -> None:
        self._settings = settings
        self._bodies = Bodies(settings.body_limit_bytes, settings.request_timeout_s)
        self._names = contract.class_names
        self._reader = BodyReader(contract, settings.row_limit)
        self._champion = champion
        self._microbatches = Microbatches()
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request. Raises: HTTPException, OutsideContract, ModelMissing, ClientDisconnect."""
        began = time.perf_counter()
        kind = content_type(scope)
        if kind != JSON:
            raise not_json(kind)
        rows = self._reader.read(await self._bodies.whole(scope, receive))
        model = self._champion.require()
        answer = await self._microbatches.ask(model, rows)
        asked = request_id(scope), scope["state"]["key"].key_id, model, rows, answer, began
        many = len(rows) > INLINE_ROWS
        body = await asyncio.to_thread(self._finish, *asked) if many else self._finish(*asked)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _finish(
        self, identifier: str, key_id: str, model: Model, rows: Sequence[Row], answer: Answer, began: float
    ) -> bytes:
        """Returns the reply; the log takes it too."""
        flags = [model.out_of_distribution.flags(row, self._settings.rare_rows) for row in rows]
        body = self._reply(identifier, model, answer, flags)
        took_ms = (time.perf_counter() - began) * 1e3
        lines = lines_of(identifier, key_id, model, rows, answer, flags, took_ms)
        self._log.add(Reply(lines, took_ms, [flag for flagged in flags for flag in flagged]))
        return body

    def _reply(self, identifier: str, model: Model, answer: Answer, flags: Sequence[Sequence[Flag]]) -> bytes:
        names = self._names
        predictions: list[Any] = [
            {
                "cover_type": label,
                "cover_type_name": names[label],
                "probabilities": dict(zip(names, shares, strict=True)),
                "flags": flagged,
            }
            for label, shares, flagged in zip(*answer, flags, strict=True)
        ]
        return encode(
            {"request_id": identifier, "model": model.version.answering_fields, "predictions": predictions}
        )


def not_json(kind: str) -> HTTPException:
    """Returns what a body of another content type gets."""
    return HTTPException(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"The content type {kind[:80]!r} is not accepted. Send JSON, with Content-Type: {JSON}; files go to "
        "/v1/predictions:batch.",
    )
