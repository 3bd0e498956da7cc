"""What is done with tables that anybody may have written, in a process that may die of them.

Each function is called by its name from `tabular/calling.py`, through `sandbox`, with the settings of the
call, the open file of the table and the open file that its rows go to. What is said of it is JSON: `rows`; or
`what` and `remedy`; or `violations`, how many there are in `total`, and a `note`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from contracts.covertype import covertype
from contracts.errors import OutsideContract
from tabular.checking import FileChecker, require_count
from tabular.codes import Codes, CodesReader, CodesWriter
from tabular.content import mapped
from tabular.errors import TableUnreadable
from tabular.json_rows import column_of
from tabular.reader import Bounds, Pieces, TableReader
from tabular.streams import StreamWriter
from tabular.survey import Survey

CONTRACT = covertype()
column_of([1])  # pyarrow imports pandas for its first array: once here, and not in each child


def write_codes(argument: bytes, body: int, out: int) -> bytes:
    """Holds a table against the contract, and writes its features as codes (`tabular/codes.py`)."""

    def write(asked: dict[str, Any]) -> int:
        checker = FileChecker(CONTRACT, asked["rows"])

        def use(pieces: Pieces) -> int:
            writer = CodesWriter(out, len(CONTRACT.features))
            rows = checker.check(pieces, lambda codes, _: writer.add(codes))
            writer.end()
            return rows

        return _reader(asked).read(mapped(body), asked["kind"], use)

    return _told(argument, write)


def write_cells(argument: bytes, body: int, out: int) -> bytes:
    """Returns the same, and writes all columns as an Arrow stream: the features as they were read, and all
    others."""

    def write(asked: dict[str, Any]) -> int:
        checker, features = FileChecker(CONTRACT, asked["rows"]), CodesReader(CONTRACT)
        reader = _reader(asked, keeps_others=True)

        def use(pieces: Pieces) -> int:
            stream = StreamWriter(out, asked["values"])

            def keep(codes: Codes, batch: pa.RecordBatch) -> None:
                stream.add(reader.as_given(features.decoded(codes), batch))

            rows = checker.check(pieces, keep)
            stream.end()
            return rows

        return reader.read(mapped(body), None, use)

    return _told(argument, write)


def write_survey(argument: bytes, body: int, out: int) -> bytes:
    """Writes the source's thirteen columns as text in an Arrow stream; values are not judged."""

    def write(asked: dict[str, Any]) -> int:
        def use(pieces: Pieces) -> int:
            stream, survey = StreamWriter(out, asked["values"]), Survey(CONTRACT)
            for batch in pieces:
                stream.add(survey.as_served(batch))
                require_count(survey.rows, asked["rows"], is_end=False)
            survey.require_labels()
            stream.end()
            return survey.rows

        return TableReader(CONTRACT.columns, _bounds(asked)).read(mapped(body), None, use)

    return _told(argument, write)


def _reader(asked: dict[str, Any], *, keeps_others: bool = False) -> TableReader:
    return TableReader(CONTRACT.features, _bounds(asked), keeps_others=keeps_others)


def _bounds(asked: dict[str, Any]) -> Bounds:
    return Bounds(rows=asked["rows"], bytes=asked["bytes"])


def _told(argument: bytes, write: Callable[[dict[str, Any]], int]) -> bytes:
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        told: dict[str, Any] = {"rows": write(json.loads(argument))}
    except OutsideContract as error:
        told = {"violations": error.violations, "total": error.total, "note": error.note}
    except TableUnreadable as error:
        told = {"what": error.what, "remedy": error.remedy}
    except (pa.ArrowException, ValueError) as error:
        # A value that Arrow can read, and can neither compare nor show.
        told = {
            "what": f"it is damaged ({str(error).partition(chr(10))[0][:300]})",
            "remedy": "Write it anew.",
        }
    return json.dumps(told).encode()
