"""Tables as people and their programs write them, and what reading one comes to."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.covertype import covertype
from contracts.errors import faults_text
from contracts.prediction import example_row
from tabular import confined
from tabular.names import match
from tabular.streams import read_stream

CONTRACT = covertype()
FEATURES = [column.name for column in CONTRACT.features]
ROW = example_row(CONTRACT)
ASKED = {"rows": 100_000, "bytes": 2**26, "values": 2**27, "kind": None}

Row = Mapping[str, Any]


class Refused(Exception):
    """A table was not read; the sentence is what a person is told."""


def cells(count: int = 20) -> list[dict[str, Any]]:
    """Rows that differ from each other."""
    areas, soils = (CONTRACT.column(name).values for name in ("wilderness_area", "soil_type"))
    return [
        {
            **ROW,
            "elevation_m": 2000 + place % 2000,
            "vertical_distance_to_hydrology_m": place % 100 - 5,
            "wilderness_area": areas[place % len(areas)],
            "soil_type": soils[place % len(soils)],
        }
        for place in range(count)
    ]


def survey(count: int = 120) -> list[dict[str, str]]:
    """Rows as the source writes them, with labels."""
    names = {column.name: column.source_name for column in CONTRACT.features}
    return [
        {**{names[name]: str(value) for name, value in row.items()}, "Cover_Type": str(place % 7)}
        for place, row in enumerate(cells(count))
    ]


def as_csv(
    rows: Sequence[Row],
    separator: str = ",",
    *,
    quoting: int = csv.QUOTE_MINIMAL,
    end: str = "\n",
    text: Callable[[Any], str] = str,
) -> str:
    """Rows as CSV, each value as `text` writes it."""
    lines = [list(rows[0])]
    lines += [[text(row[name]) if row[name] is not None else "" for name in rows[0]] for row in rows]
    written = []
    for line in lines:  # from Python 3.13 on no end of a line may have a separator
        sink = io.StringIO()
        csv.writer(sink, delimiter=separator, quoting=quoting, lineterminator="\n").writerow(line)  # type: ignore[arg-type]
        written.append(sink.getvalue().removesuffix("\n") + end)
    return "".join(written)


def as_parquet(table: pa.Table | Sequence[Row], **options: Any) -> bytes:
    """Rows as Parquet."""
    sink = io.BytesIO()
    pq.write_table(_table(table), sink, **options)
    return sink.getvalue()


def as_arrow(
    table: pa.Table | Sequence[Row], *, is_file: bool = False, compression: str | None = None
) -> bytes:
    """Rows as an Arrow stream or file."""
    table, sink = _table(table), io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with (pa.ipc.new_file if is_file else pa.ipc.new_stream)(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=7)
    return sink.getvalue()


def as_lines(rows: Sequence[Row]) -> bytes:
    """Rows as JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def packed(content: bytes) -> bytes:
    """The same by gzip."""
    return gzip.compress(content)


def with_column(
    rows: Sequence[Row], name: str, value: Callable[[int], Any], *, is_first: bool = False
) -> list[Row]:
    """Rows with another column."""
    found = []
    for place, row in enumerate(rows):
        more = {name: value(place)}
        found.append({**more, **row} if is_first else {**row, **more})
    return found


def changed(rows: Sequence[Row], number: int, **values: Any) -> list[Row]:
    """Rows of which the one with this number, from 1, has other values."""
    return [{**row, **values} if place == number else row for place, row in enumerate(rows, start=1)]


def read(content: bytes | str, function: str = "write_cells", **asked: Any) -> pa.Table:
    """What a content comes to: as the page of the prediction has it, in this process.

    Raises: Refused, with the sentence.
    """
    with tempfile.TemporaryFile() as body, tempfile.TemporaryFile() as out:
        body.write(content.encode() if isinstance(content, str) else content)
        body.flush()
        argument = json.dumps(ASKED | asked).encode()
        told = json.loads(getattr(confined, function)(argument, body.fileno(), out.fileno()))
        if "violations" in told:
            raise Refused(f"{faults_text(told['violations'])}. {told['note']}".strip())
        if "rows" not in told:
            raise Refused(f"{told['what']}. {told['remedy']}".strip())
        return read_stream(out, ASKED["values"])


def features(content: bytes | str, **asked: Any) -> list[dict[str, Any]]:
    """The twelve features of each row, by the contract's names."""
    table = read(content, **asked)
    places = match(table.column_names, CONTRACT.features).places
    return list(pa.table([table.column(place) for place in places], FEATURES).to_pylist())


def served(content: bytes | str) -> list[dict[str, str]]:
    """The rows that the simulator would serve."""
    return list(read(content, "write_survey").to_pylist())


def _table(rows: pa.Table | Sequence[Row]) -> pa.Table:
    return rows if isinstance(rows, pa.Table) else pa.Table.from_pylist([dict(row) for row in rows])
