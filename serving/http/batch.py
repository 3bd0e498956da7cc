"""`POST /v1/predictions:batch`: a file in, a file out, in bounded memory."""

from __future__ import annotations

import asyncio
import logging
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from contracts.covertype import Contract
from contracts.errors import ServiceBusy
from contracts.model_artefact import Tag
from serving.headers import request_id
from serving.http.body import Bodies, content_type
from serving.http.files import FileWriter
from serving.http.outside import Outside
from serving.log.prediction_log import PredictionLog, as_columns
from serving.log.record import FEATURES, LOGGED, SHADOW
from serving.model.alias_follower import AliasFollower
from serving.model.loaded import Model
from serving.settings import ServingSettings
from tabular.formats import ALIASES, NAMES

LOG = logging.getLogger(__name__)
# Files that lie on the disk for each that is worked on.
PLACES = 4
ANY = frozenset({"*/*", ""})
# A body that is packed by gzip is known by its first bytes.
UNPACKED = frozenset({b"", b"identity", b"gzip", b"x-gzip"})


class BatchEndpoint:
    """An ASGI application of one path.

    The body goes to the disk first: it is looked at as a whole before anything is answered, so one bad value
    refuses all of it. Another process reads it, which may die of it (`serving/http/outside.py`), and writes
    plain numbers; they are read, answered and sent piece by piece.

    A file has a place from before its body until its answer has gone, and a turn while it is worked on: a
    caller that sends or reads slowly holds a place, and no turn.
    """

    def __init__(
        self,
        settings: ServingSettings,
        contract: Contract,
        champion: AliasFollower,
        log: PredictionLog,
        outside: Outside,
    ) -> None:
        self._settings = settings
        self._bodies = Bodies(settings.batch_body_limit_bytes, settings.request_timeout_s)
        self._names = contract.class_names
        self._outside = outside
        self._champion = champion
        self._log = log
        self._schema = _schema(contract.class_names)
        self._turns = asyncio.Semaphore(settings.batches_at_once)
        self._places = asyncio.Semaphore(settings.batches_at_once * PLACES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one file.

        Raises: HTTPException, FileUnreadable, OutsideContract, ModelMissing, ServiceBusy, ClientDisconnect.
        """
        kind = _kind(scope)
        answer_kind = _asked(scope, kind)
        async with self._place():
            with self._file() as body, self._file() as codes:
                await self._bodies.take(scope, receive, _keeping(body))
                self._log.require_room()
                async with self._turns:
                    rows = await asyncio.to_thread(self._outside.check, kind, body, codes)
                model = self._champion.require()
                await send(
                    {"type": "http.response.start", "status": 200, "headers": _head(answer_kind, model)}
                )
                pieces = self._answers(scope, model, codes, rows, FileWriter(answer_kind, self._schema))
                await self._send(pieces, receive, send)

    async def _send(self, pieces: Iterator[bytes], receive: Receive, send: Send) -> None:
        """Sends an answer, as long as somebody takes it."""
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            while not gone.done():
                async with self._turns:
                    piece = await asyncio.to_thread(next, pieces, None)
                if piece is None:
                    await send({"type": "http.response.body", "body": b""})
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            gone.cancel()

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        try:
            await asyncio.wait_for(self._places.acquire(), self._settings.request_timeout_s)
        except TimeoutError:
            raise ServiceBusy("Other files are being answered") from None
        try:
            yield
        finally:
            self._places.release()

    @contextmanager
    def _file(self) -> Iterator[BinaryIO]:
        """Yields a file without a name beside the spool: it is gone with the request, however that ends."""
        folder = self._settings.work_folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # closed below
        except OSError as error:
            LOG.error("file_not_taken folder=%s error=%s", folder, error)
            raise ServiceBusy("The service has no room for a file at present") from error
        with file:
            yield file

    def _answers(
        self, scope: Scope, model: Model, codes: BinaryIO, rows: int, writer: FileWriter
    ) -> Iterator[bytes]:
        row = 0
        for features in self._outside.codes.pieces(codes, rows):
            began = time.perf_counter()
            labels, probabilities = model.predict_columns(as_columns(features))
            flags = model.out_of_distribution.codes(features, self._settings.rare_rows)
            took_ms = (time.perf_counter() - began) * 1e3
            self._log.add_batch(_logged(scope, model, row, features, labels, probabilities, flags, took_ms))
            yield writer.add(self._answer(row, labels, probabilities, flags))
            row += features.num_rows
        yield writer.end()

    def _answer(
        self, row: int, labels: NDArray[np.int64], probabilities: NDArray[np.float32], flags: pa.Array
    ) -> pa.RecordBatch:
        names = pa.array(self._names)
        columns = [
            pa.array(np.arange(row + 1, row + 1 + len(labels))),
            pa.array(labels, pa.int32()),
            pc.take(names, pa.array(labels)),
            pa.array(probabilities.max(axis=1)),
            *(pa.array(np.ascontiguousarray(shares)) for shares in probabilities.T),
            flags,
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)


def _keeping(body: BinaryIO) -> Callable[[bytes], object]:
    """Writes each piece of a body to a file. Raises: ServiceBusy if the disk takes no more."""

    def keep(piece: bytes) -> None:
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[body.write(rest) :]
        except OSError as error:
            LOG.error("file_not_taken error=%s", error)
            raise ServiceBusy("The service has no room for a file at present") from error

    return keep


async def _until_gone(receive: Receive) -> None:
    """Ends when the caller does."""
    while (await receive())["type"] != "http.disconnect":
        pass


def share_column(class_name: str) -> str:
    """Returns the column with the share of a class: `probability_spruce_fir`."""
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
    packed = b",".join(value for name, value in scope["headers"] if name == b"content-encoding")
    if packed.strip().lower() not in UNPACKED:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The content encoding {packed.decode('latin-1')[:80]!r} is not read. Send gzip, or none.",
        )
    sent = content_type(scope, default="")
    if sent not in ALIASES:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The content type {sent[:80]!r} is not accepted. Send one of {', '.join(NAMES)}.",
        )
    return ALIASES[sent]


def _asked(scope: Scope, kind: str) -> str:
    """Returns the content type of the answer: the first accepted one that is known, else that of the body."""
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
        (b"x-snapshot-id", version.tags.get(Tag.SNAPSHOT_ID, "").encode("latin-1", "replace")),
    ]
