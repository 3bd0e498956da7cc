"""`POST /v1/predictions:batch`: a file in, a file out, in bounded memory."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from contracts.covertype import Contract
from serving.body import Bodies, content_type
from serving.champion import Champion
from serving.checking import FileChecker
from serving.files import ALIASES, NAMES, FileReader, FileWriter
from serving.log import PredictionLog, as_columns
from serving.model import Model
from serving.record import FEATURES, LOGGED, SHADOW
from serving.request_id import request_id
from serving.settings import ServingSettings

ANY = frozenset({"*/*", ""})


class BatchEndpoint:
    """An ASGI application of one path.

    The body goes to the disk first: it is looked at as a whole before anything is answered, so one bad value
    refuses all of it. Then it is read again, answered and sent piece by piece.
    """

    def __init__(
        self, settings: ServingSettings, contract: Contract, champion: Champion, log: PredictionLog
    ) -> None:
        self._settings = settings
        self._bodies = Bodies(settings.batch_body_limit_bytes, settings.request_timeout_s)
        self._names = contract.class_names
        self._reader = FileReader(contract, settings.batch_body_limit_bytes)
        self._checker = FileChecker(contract, settings.batch_row_limit)
        self._champion = champion
        self._log = log
        self._schema = _schema(contract.class_names)
        self._turns = asyncio.Semaphore(settings.batches_at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one file. Raises: HTTPException, FileUnreadable, OutsideContract, ModelMissing."""
        kind = _kind(scope)
        answer_kind = _asked(scope, kind)
        with tempfile.NamedTemporaryFile(prefix="canopy-batch-") as file:
            await self._bodies.take(scope, receive, file.write)
            file.flush()
            async with self._turns:
                path = Path(file.name)
                await asyncio.to_thread(self._checker.check, self._reader.pieces(kind, path))
                model = self._champion.require()
                await send(
                    {"type": "http.response.start", "status": 200, "headers": _head(answer_kind, model)}
                )
                pieces = self._answers(scope, model, kind, path, FileWriter(answer_kind, self._schema))
                while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _answers(
        self, scope: Scope, model: Model, kind: str, path: Path, writer: FileWriter
    ) -> Iterator[bytes]:
        row = 0
        for batch in self._reader.pieces(kind, path):
            began = time.perf_counter()
            features = self._checker.typed(batch)
            labels, probabilities = model.predict_columns(as_columns(features))
            flags = model.familiarity.codes(features, self._settings.rare_rows)
            took_ms = (time.perf_counter() - began) * 1e3
            self._log.add_batch(_logged(scope, model, row, features, labels, probabilities, flags, took_ms))
            yield writer.add(self._answer(row, labels, probabilities, flags))
            row += batch.num_rows
        yield writer.end()

    def _answer(
        self, row: int, labels: NDArray[np.int64], probabilities: NDArray[np.float32], flags: pa.Array
    ) -> pa.RecordBatch:
        names = pa.array(self._names)
        columns = [
            pa.array(np.arange(row, row + len(labels))),
            pa.array(labels, pa.int32()),
            pc.take(names, pa.array(labels)),
            pa.array(probabilities.max(axis=1)),
            *(pa.array(np.ascontiguousarray(shares)) for shares in probabilities.T),
            flags,
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)


def share_column(class_name: str) -> str:
    """The column with the share of a class: `probability_spruce_fir`."""
    return "probability_" + re.sub(r"[^a-z0-9]+", "_", class_name.lower())


def _schema(class_names: Sequence[str]) -> pa.Schema:
    return pa.schema(
        [
            ("row", pa.int64()),
            ("cover_type", pa.int32()),
            ("cover_type_name", pa.string()),
            ("probability", pa.float32()),
            *((share_column(name), pa.float32()) for name in class_names),
            ("flags", pa.list_(pa.string())),
        ]
    )


def _logged(
    scope: Scope,
    model: Model,
    row: int,
    features: pa.RecordBatch,
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    flags: pa.Array,
    took_ms: float,
) -> pa.RecordBatch:
    count = len(labels)
    name, number, snapshot_id = model.version.logged
    same = {
        "request_id": request_id(scope),
        "predicted_at": datetime.now(UTC),
        "model_name": name,
        "model_version": number,
        "model_snapshot_id": snapshot_id,
        "latency_ms": took_ms,
        "key_id": scope["state"]["key"].key_id,
        **dict.fromkeys(SHADOW),
    }
    columns = {
        name: pa.repeat(pa.scalar(value, LOGGED.field(name).type), count) for name, value in same.items()
    }
    columns |= {name: pc.cast(features[name], LOGGED.field(name).type) for name in FEATURES}
    width = probabilities.shape[1]
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    columns |= {
        "position": pa.array(np.arange(row, row + count, dtype=np.int32)),
        "predicted": pa.array(labels, pa.int32()),
        "probability": pa.array(probabilities.max(axis=1)),
        "probabilities": pa.ListArray.from_arrays(pa.array(offsets), pa.array(probabilities.ravel())),
        "flags": flags,
    }
    return pa.RecordBatch.from_arrays([columns[item.name] for item in LOGGED], schema=LOGGED)


def _kind(scope: Scope) -> str:
    sent = content_type(scope, default="")
    if sent not in ALIASES:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The content type {sent[:80]!r} is not accepted. Send one of {', '.join(NAMES)}.",
        )
    return ALIASES[sent]


def _asked(scope: Scope, kind: str) -> str:
    """The content type of the answer: the first accepted one that is known, else that of the body."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
    wanted = [item.partition(";")[0].strip().lower() for item in accepted.split(",")]
    known = next((ALIASES[item] for item in wanted if item in ALIASES), None)
    if known is None and not ANY.intersection(wanted):
        raise HTTPException(
            HTTPStatus.NOT_ACCEPTABLE,
            f"No answer can be given as {accepted[:80]!r}. Accept one of {', '.join(NAMES)}.",
        )
    return known or kind


def _head(kind: str, model: Model) -> list[tuple[bytes, bytes]]:
    version = model.version
    return [
        (b"content-type", kind.encode()),
        (b"x-model-version", version.number.encode()),
        (b"x-snapshot-id", version.tags.get("snapshot_id", "").encode("latin-1", "replace")),
    ]
