"""What models said of rows before anything was learned from them. Written once, in bronze.

One object a landing: what the champion says of its rows when it comes, and what the service had answered
to the same features before. Whether a row was known is settled when the object is written, by what is
published at that moment; no version can have learned from anything else.
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts.covertype import Column, covertype
from contracts.errors import LandingConflict
from contracts.landing_id import moment_in, name_in
from lake.bronze.landings import read_landed
from lake.bronze.predictions import READ, files_without
from lake.bronze.samples import landed_between
from lake.catalog.connection import connect
from lake.catalog.tables import has_table
from lake.objects import Objects, open_objects
from lake.publish.pointer import Publication
from lake.settings import LakeSettings

if TYPE_CHECKING:
    import duckdb

ANSWERED = "bronze/answered"
# An integer as the source writes it.
INTEGER = r"^-?[0-9]{1,9}$"
LANDING, SERVICE = "landing", "service"

NEW = """
select asked.position, training_set.row_id is null as is_new
from asked left join gold.training_set using ({columns})
order by asked.position
"""

# What the service had said of rows that were not known yet: the last answer of each version.
EARLIER = """
select
    asked.position, predictions.model_name, predictions.model_version, predictions.model_snapshot_id,
    predictions.predicted_at as asked_at, predictions.predicted, predictions.probability
from asked inner join ({logged}) as predictions using ({features})
where asked.is_new and predictions.predicted_at < $before
qualify row_number() over (
    partition by asked.position, predictions.model_name, predictions.model_version
    order by predictions.predicted_at desc
) = 1
order by all
"""


@dataclass(frozen=True)
class Answerer:
    """A model version that is asked.

    Attributes:
        model_name: The registered model.
        model_version: Its version.
        model_snapshot_id: The snapshot that it learned from.
    """

    model_name: str
    model_version: int
    model_snapshot_id: int


@dataclass(frozen=True)
class Question:
    """A landing's rows as far as they can be put to a model.

    Attributes:
        landing_id: The landing.
        rows: `position`, the contract's columns with their types, and `is_new`: whether nothing that was
            published held the row.
        earlier: What the service had answered to new rows of it, before it came.
    """

    landing_id: str
    rows: pa.Table
    earlier: pa.Table


def unanswered(settings: LakeSettings, publication: Publication) -> list[str]:
    """Returns keys of row files that the publication lacks and nobody was asked about, oldest first."""
    objects = open_objects(settings)
    done = {name_in(key) for key in objects.keys(ANSWERED)}
    waiting = [key for key in landed_between(objects) if name_in(key) not in done]
    if not waiting:
        return []
    with connect(settings, snapshot_id=publication.snapshot_id) as connection:
        rows = connection.execute("select landing_id from silver.landings").fetchall()
    known = {landing_id for (landing_id,) in rows}
    return [key for key in waiting if name_in(key) not in known]


def question(settings: LakeSettings, publication: Publication, key: str) -> Question:
    """Reads a landing for a model.

    Args:
        settings: Where the lake is.
        publication: What any version may have learned from.
        key: Of the landing's row file.

    Raises: RowsDamaged, ObjectMissing.
    """
    objects = open_objects(settings)
    landed = read_landed(objects, key)
    asked = _typed(landed)
    columns = ", ".join(column.name for column in covertype().columns)
    with connect(settings, snapshot_id=publication.snapshot_id) as connection:
        connection.register("asked", asked)
        is_new = connection.execute(NEW.format(columns=columns)).fetchnumpy()["is_new"]
        asked = asked.append_column("is_new", pa.array(np.asarray(is_new, dtype=bool)))
        earlier = _earlier(connection, objects, asked, moment_in(name_in(key)))
    return Question(name_in(key), asked, earlier)


def read(objects: Objects, key: str) -> pa.Table:
    """Returns what was said of a landing. Raises: ObjectMissing; ValueError or KeyError where it is no
    such file."""
    table = pq.read_table(io.BytesIO(objects.read(key)))
    return table.select([*SHAPE.names, "landing_id"]).cast(SHAPE.append(pa.field("landing_id", pa.string())))


def keep_answers(
    objects: Objects,
    asked: Question,
    answerer: Answerer,
    predicted: NDArray[np.int64],
    probabilities: NDArray[np.float32],
) -> None:
    """Writes what was said of a landing; what was said first stays.

    Args:
        objects: The store.
        asked: The landing.
        answerer: Who was asked when it came.
        predicted: The class that it predicted for each row, shape (n_rows,).
        probabilities: How sure it was, shape (n_rows,).
    """
    count = asked.rows.num_rows
    answers = pa.table(
        {
            "position": asked.rows["position"],
            **{name: pa.repeat(value, count) for name, value in vars(answerer).items()},
            "asked_at": pa.repeat(pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")), count),
            "predicted": pa.array(predicted, pa.int32()),
            "probability": pa.array(probabilities, pa.float32()),
            "is_new": asked.rows["is_new"],
            "asked_by": pa.repeat(LANDING, count),
        }
    )
    earlier = asked.earlier.append_column("is_new", pa.repeat(True, asked.earlier.num_rows))
    earlier = earlier.append_column("asked_by", pa.repeat(SERVICE, earlier.num_rows))
    both = pa.concat_tables([_shaped(answers), _shaped(earlier)])
    both = both.append_column("landing_id", pa.repeat(asked.landing_id, both.num_rows))
    buffer = io.BytesIO()
    pq.write_table(both, buffer, compression="snappy", store_schema=False)
    with suppress(LandingConflict):
        objects.put_new(f"{ANSWERED}/{asked.landing_id}.parquet", buffer.getvalue())


SHAPE = pa.schema(
    {
        "position": pa.int32(),
        "model_name": pa.string(),
        "model_version": pa.int32(),
        "model_snapshot_id": pa.int64(),
        "asked_at": pa.timestamp("us", "UTC"),
        "predicted": pa.int32(),
        "probability": pa.float32(),
        "is_new": pa.bool_(),
        "asked_by": pa.string(),
    }
)


def _shaped(table: pa.Table) -> pa.Table:
    return table.select(SHAPE.names).cast(SHAPE)


def _earlier(
    connection: duckdb.DuckDBPyConnection, objects: Objects, asked: pa.Table, fetched_at: datetime
) -> pa.Table:
    logged, files = _logged(connection, objects)
    if not logged:
        return pa.table({name: pa.array([], SHAPE.field(name).type) for name in SHAPE.names[:-2]})
    features = ", ".join(column.name for column in covertype().features)
    connection.register("asked", asked)
    found: pa.Table = connection.execute(
        EARLIER.format(logged=logged, features=features), {"before": fetched_at} | files
    ).to_arrow_table()
    return found


def _logged(connection: duckdb.DuckDBPyConnection, objects: Objects) -> tuple[str, dict[str, list[str]]]:
    """Returns a query for the whole log, what gold has of it and the segments since, and the values it is
    given."""
    parts, known, given = [], set(), {}
    if has_table(connection, "gold.predictions"):
        parts.append("from gold.predictions")
        rows = connection.execute("select distinct segment from gold.predictions").fetchall()
        known = {segment for (segment,) in rows}
    if files := files_without(objects, known):
        parts.append(f"from ({READ})")
        given["files"] = files
    return " union all by name ".join(parts), given


def _typed(landed: pa.Table) -> pa.Table:
    """Returns the rows whose integers are integers; whether they are in bounds is for silver to say."""
    columns = covertype().columns
    fits = pc.is_valid(landed["position"])
    for column in columns:
        values = landed[column.source_name]
        fits = pc.and_(fits, pc.is_valid(values))
        if column.kind == "integer":
            fits = pc.and_(fits, pc.fill_null(pc.match_substring_regex(values, INTEGER), False))
    kept = landed.filter(fits)
    typed = {column.name: _values(kept[column.source_name], column) for column in columns}
    return pa.table({"position": kept["position"], **typed})


def _values(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    return values.cast(pa.int64()) if column.kind == "integer" else values
