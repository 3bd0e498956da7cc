"""From the bytes of a JSON request to rows: at once where all is well, step by step to say what is not."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from starlette.exceptions import HTTPException

from contracts.covertype import Column, Contract
from contracts.reading import RequestReader
from serving.model.loaded import Row
from tabular.content import not_utf8
from tabular.formats import GZIP, UTF8_MARK
from tabular.json_rows import once

ROWS_KEY = b'"rows"'
# A string, ended or not, or where a list or an object begins or ends; each letter is looked at once.
BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
OPENS = {"[": 1, "{": 1, "]": -1, "}": -1}
DEEPEST = 64
# What a value of JSON is made of. To name each fault of a body takes a microsecond or more for each of them,
# in which no other request is answered; so many are read in any case.
MARKS, FEWEST_MARKS = (b"{", b"[", b":", b",", b'"'), 10_000
MARKS_OF_A_VALUE = 6  # its name and itself in quotation marks, a colon and a comma


class AnyRows(msgspec.Struct):
    """Rows, not looked at."""

    rows: list[msgspec.Raw]


ANY_ROWS = msgspec.json.Decoder(AnyRows)


class BodyReader:
    """Reads requests strictly.

    A body without any fault is decoded and checked in one pass by msgspec, which takes a microsecond.
    Whatever that does not accept is read again by the contract's own reader, which names every fault. Tests
    hold both to the same answer.
    """

    def __init__(self, contract: Contract, row_limit: int) -> None:
        row: Any = msgspec.defstruct(
            "Row",
            [(column.name, _kind(column)) for column in contract.features],
            forbid_unknown_fields=True,
        )
        rows: Any = msgspec.defstruct(
            "Rows",
            [("rows", Annotated[list[row], msgspec.Meta(min_length=1, max_length=row_limit)])],
            forbid_unknown_fields=True,
        )
        self._one, self._many = msgspec.json.Decoder(row), msgspec.json.Decoder(rows)
        self._width, self._row_limit = len(contract.features), row_limit
        self._most_marks = max(FEWEST_MARKS, MARKS_OF_A_VALUE * (self._width + 1) * row_limit)
        self._explaining = RequestReader(contract, row_limit)

    def read(self, body: bytes) -> Sequence[Row]:
        """Returns the rows of a request, each in the contract's order.

        Raises: HTTPException with 400 if it is not JSON, with 413 if it has more in it than all rows that
        it may have; OutsideContract, naming each fault.
        """
        try:
            rows = self._many.decode(body).rows if ROWS_KEY in body else [self._one.decode(body)]
        except (msgspec.DecodeError, ValueError, RecursionError):  # ValueError: text that is not UTF-8
            return self._read_again(body)
        # Neither a name nor a value of the contract has a colon: one more means a name that is there twice.
        if body.count(b":") != self._width * len(rows) + (ROWS_KEY in body):
            return self._read_again(body)
        return [msgspec.structs.astuple(row) for row in rows]

    def _read_again(self, body: bytes) -> Sequence[Row]:
        if sum(map(body.count, MARKS)) > self._most_marks:
            raise self._too_much(body)
        return [tuple(row.values()) for row in self._explaining.read(strict_json(body))]

    def _too_much(self, body: bytes) -> Exception:
        """Returns what to say of a body with more in it than so many rows have: without reading it all."""
        with suppress(msgspec.DecodeError, ValueError, RecursionError):
            count = len(ANY_ROWS.decode(body).rows)
            if count > self._row_limit:
                return self._explaining.too_many(count)
        detail = (
            f"The body has more names and values than {self._row_limit:,} rows of {self._width} features. "
            f"Send at most so many rows, each with its {self._width} features."
        )
        return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def strict_json(body: bytes) -> object:
    """Returns a JSON value: UTF-8, no NaN or Infinity, no name twice in one object, not nested without end.

    Raises: HTTPException with 400.
    """
    encoding = json.detect_encoding(body).upper()
    if not encoding.startswith("UTF-8"):
        raise _not_json(f"its text is {encoding[:6]}. Send it as UTF-8")
    try:
        text = body.removeprefix(UTF8_MARK).decode("utf-8")
        if _depth(text) > DEEPEST:  # how deep Python itself reads depends on its version
            raise _not_json("it is nested too deeply")
        return json.loads(text, object_pairs_hook=once, parse_constant=_no_constant, parse_int=_whole)
    except UnicodeDecodeError:
        raise _not_json(_packed(body) or _other_text(body)) from None
    except RecursionError:
        raise _not_json("it is nested too deeply") from None
    except ValueError as error:
        raise _not_json(str(error)) from None


def _depth(text: str) -> int:
    """Returns how many lists and objects lie within each other at most, or the first number that is too
    many; of what is no JSON at least as many."""
    depth = deepest = 0
    for found in BRACKETS.finditer(text):
        depth += OPENS.get(found[0], 0)
        deepest = max(deepest, depth)
        if deepest > DEEPEST:
            break
    return deepest


def _packed(body: bytes) -> str | None:
    return "it is packed by gzip. Send it unpacked; files may be packed" if body.startswith(GZIP) else None


def _other_text(body: bytes) -> str:
    found = not_utf8(body)
    return f"{found.what}. Send it as UTF-8" if found else "its text is not UTF-8. Send it as UTF-8"


def _whole(digits: str) -> int:
    """Returns a whole number; Python says of one that is too long for it how Python is set up."""
    most = sys.get_int_max_str_digits()
    if most and len(digits.removeprefix("-")) > most:
        raise ValueError(f"a number of it has {len(digits.removeprefix('-')):,} digits")
    return int(digits)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def _not_json(reason: str) -> HTTPException:
    return HTTPException(HTTPStatus.BAD_REQUEST, f"The body is not JSON: {reason[:300]}.")


def _kind(column: Column) -> Any:
    if column.choices:
        # A Literal made at run time is what msgspec reads as an enumeration.
        return Literal[column.values]
    return Annotated[int, msgspec.Meta(ge=column.minimum, le=column.maximum)]
