"""Asking the prediction service from the command line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from clients.predictions import PredictionClient, kind_of_answers
from contracts.covertype import covertype
from contracts.errors import RowsUnreadable
from contracts.outside import shown
from contracts.plain_files import read_plain
from contracts.rights import as_person
from contracts.stack_settings import StackSettings
from deploy.local.environment import local
from lake.read.query import run_query
from tabular.checking import FileChecker
from tabular.codes import CodesReader
from tabular.content import plain
from tabular.errors import TableUnreadable
from tabular.formats import CSV, JSON_LINES, NAMES, format_of
from tabular.json_rows import AS_OBJECTS
from tabular.reader import Bounds, TableReader

Rows = list[dict[str, Any]]
# The service says how many it takes at once; this bounds what is read.
LOOKED_AT = 4096
STDIN = "standard input"
BOUNDS = Bounds(rows=1_000_000, bytes=256 * 2**20)


def rows_from(file: Path | None) -> Rows:
    """Returns rows of JSON: an object, a list of them, `{"rows": [...]}`, or one a line.

    Args:
        file: The file, `-` for stdin; where None, one held-out cell out of gold.

    Raises: RowsUnreadable; OutsideContract, naming row and value; NothingPublished.
    """
    if file is None:
        names = ", ".join(column.name for column in covertype().features)
        query = f"select {names} from gold.training_set where split = 'test' order by row_id limit 1"  # noqa: S608
        return run_query(query).records()
    name = STDIN if str(file) == "-" else file
    try:
        content = plain(sys.stdin.buffer.read() if name == STDIN else file.read_bytes(), BOUNDS.bytes)
        if not bytes(content[:LOOKED_AT]).strip():
            raise TableUnreadable("it is empty", AS_OBJECTS)
        kind = format_of(bytes(content[:LOOKED_AT]))
        if kind == CSV and (value := _json_value(bytes(content))):
            raise TableUnreadable(f"it is JSON, and no row: {shown(value, 60)}", AS_OBJECTS)
        if kind != JSON_LINES:
            raise TableUnreadable(
                f"it is {NAMES[kind]}, whose answers go into a file", "Add --output answers.csv."
            )
        return _judged(bytes(content))
    except TableUnreadable as error:
        raise RowsUnreadable(name, error.what, error.remedy) from error
    except OSError as error:
        raise RowsUnreadable(name, str(error)) from error


def _json_value(content: bytes) -> str | None:
    """Returns what is a text, a number or a word of JSON and nothing else; None for all other content."""
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return None
    return content.decode(errors="replace").strip()


def _judged(content: bytes) -> Rows:
    """Returns the rows with whole numbers and words, as the service takes them."""
    contract, rows = covertype(), Rows()
    checker, codes_of = FileChecker(contract, BOUNDS.rows), CodesReader(contract)

    def use(pieces: Iterator[pa.RecordBatch]) -> None:
        rows.clear()
        checker.check(pieces, lambda codes, _: rows.extend(codes_of.decoded(codes).to_pylist()))

    TableReader(contract.features, BOUNDS).read(content, JSON_LINES, use)
    return rows


def predict_rows(rows: Rows, settings: StackSettings | None = None) -> dict[str, Any]:
    """Returns the service's answer.

    Raises: PredictionRefused with the service's words; ServiceUnavailable.
    """
    with open_client(settings) as client:
        return client.predict(rows).model_dump(mode="json")


def predict_into(file: Path | None, answers: Path, settings: StackSettings | None = None) -> int:
    """Predicts a file, `-` for stdin, into another; where None, one held-out cell out of gold.

    Returns: Bytes written.
    Raises: as `PredictionClient.predict_file`; NothingPublished.
    """
    kind_of_answers(answers)  # before anything is read
    with open_client(settings) as client:
        if file is not None and str(file) != "-":
            with as_person():
                return client.predict_file(file, answers)
        content = json.dumps(rows_from(None)).encode() if file is None else _stdin(answers)
        with as_person():
            return client.predict_content(content, answers, STDIN)


def _stdin(answers: Path) -> bytes:
    """Returns all of standard input. Raises: RowsUnreadable if it is the file that the answers go to."""
    try:
        is_same = answers.is_file() and os.path.samestat(os.fstat(sys.stdin.fileno()), answers.stat())
        content = sys.stdin.buffer.read()
    except OSError as error:
        raise RowsUnreadable(STDIN, str(error)) from error
    if is_same:
        raise RowsUnreadable(STDIN, "the answers would be written over them", "Name another file.")
    return content


def open_client(settings: StackSettings | None = None) -> PredictionClient:
    """Returns a client of this stack's service, with the key that the service has written for this
    machine."""
    settings = settings or StackSettings()
    try:
        key = read_plain(settings.key_file.expanduser()).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        key = ""  # the service itself says what is missing
    return PredictionClient(local(settings.serving_port), key)
