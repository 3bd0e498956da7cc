"""From a prediction back to its model, the snapshot that this learned from, and the responses in there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.errors import CatalogUnusable, RequestUnknown
from lake.bronze.predictions import READ, SCHEMA, files_without
from lake.catalog.connection import connect
from lake.catalog.tables import values_of
from lake.objects import open_objects
from lake.settings import LakeSettings

LEARNED = """
select landing_id, raw_key, source, group_number, batch_number, fetched_at, count(*) as learned_rows
from gold.training_set inner join silver.landings on first_landing_id = landing_id
where split = 'train'
group by all
order by fetched_at, landing_id
"""


@dataclass(frozen=True)
class Response:
    """A response of the source that a model has learned from.

    Attributes:
        landing_id: Its id.
        raw_key: Where it lies, byte for byte.
        source: Who gave it.
        group_number: The group that was asked for.
        batch_number: The batch number that it came with.
        fetched_at: When.
        learned_rows: Rows that a model learned from, and that no earlier response held.
    """

    landing_id: str
    raw_key: str
    source: str
    group_number: int
    batch_number: int
    fetched_at: datetime
    learned_rows: int


@dataclass(frozen=True)
class Origin:
    """A model version that has answered, and what it knows.

    Attributes:
        model_name: The registered model.
        model_version: Its version.
        model_snapshot_id: The snapshot that it learned from; None if it names none.
        responses: What it learned from, oldest first.
        missing: Why there are none; None if there are.
    """

    model_name: str
    model_version: int
    model_snapshot_id: int | None
    responses: tuple[Response, ...]
    missing: str | None = None


@dataclass(frozen=True)
class Trace:
    """A request's way back.

    Attributes:
        request_id: As the reply names it.
        predictions: The rows of the log with this id, oldest first; columns as in its SCHEMA.
        origins: Who has answered, by version.
    """

    request_id: str
    predictions: tuple[dict[str, Any], ...]
    origins: tuple[Origin, ...]


def trace(lake: LakeSettings, request_id: str) -> Trace:
    """Follows a request back to the responses behind its answer.

    Args:
        lake: Where the lake is.
        request_id: As the reply names it. Where it is the caller's own it may be of several requests.

    Raises: RequestUnknown if no prediction has it; NothingPublished.
    """
    found = predictions_of(lake, request_id)
    if not found:
        raise RequestUnknown(request_id)
    names = ("model_name", "model_version", "model_snapshot_id")
    asked = dict.fromkeys(tuple(row[name] for name in names) for row in found)
    return Trace(request_id, tuple(found), tuple(_origin(lake, *one) for one in asked))


def lineage(lake: LakeSettings, snapshot_id: int) -> dict[str, int | tuple[str, ...]]:
    """Returns the ids of the responses behind a snapshot, and so behind every model and prediction that cites
    it, oldest first, and where each of them lies, byte for byte."""
    with connect(lake, snapshot_id=snapshot_id) as connection:
        rows = connection.execute(
            "select landing_id, raw_key from silver.landings order by fetched_at, landing_id"
        ).fetchall()
    landings, raw_keys = zip(*rows, strict=True) if rows else ((), ())
    return {"snapshot_id": snapshot_id, "landings": landings, "raw_keys": raw_keys}


def predictions_of(lake: LakeSettings, request_id: str) -> list[dict[str, Any]]:
    """Returns the rows of the log with this request id, oldest first, also those that no refine has taken in
    yet.

    Raises: NothingPublished if there is no lake.
    """
    names = ", ".join(SCHEMA.names)
    with connect(lake) as connection:
        known = values_of(connection, "gold.predictions", "segment")
        sources = ["gold.predictions"] if known else []
        asked: dict[str, Any] = {"id": request_id}
        if files := files_without(open_objects(lake), known):
            sources.append(f"({READ})")
            asked["files"] = files
        if not sources:
            return []
        query = " union all ".join(f"select {names} from {one} where request_id = $id" for one in sources)  # noqa: S608
        rows = connection.execute(f"{query} order by predicted_at, segment, sequence", asked)
        columns = [column[0] for column in rows.description or []]
        return [dict(zip(columns, row, strict=True)) for row in rows.fetchall()]


def responses_behind(lake: LakeSettings, snapshot_id: int) -> tuple[Response, ...]:
    """Returns the responses that a model has learned from at a snapshot, oldest first.

    Raises: CatalogUnusable if there is no such snapshot any more; NothingPublished.
    """
    with connect(lake, snapshot_id=snapshot_id) as connection:
        return tuple(Response(*row) for row in connection.execute(LEARNED).fetchall())


def _origin(lake: LakeSettings, name: str, version: int, snapshot_id: int | None) -> Origin:
    if snapshot_id is None:
        return Origin(name, version, None, (), "the version names no snapshot that it learned from")
    try:
        return Origin(name, version, snapshot_id, responses_behind(lake, snapshot_id))
    except CatalogUnusable:
        gone = "the lake has that snapshot no longer: those that no registered model cites are expired"
        return Origin(name, version, snapshot_id, (), gone)
