"""From the bytes of a JSON request to rows: at once where all is well, step by step to say what is not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from starlette.exceptions import HTTPException

from contracts.covertype import Column, Contract
from contracts.reading import RequestReader
from serving.model import Row

ROWS_KEY = b'"rows"'


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
        self._width = len(contract.features)
        self._explaining = RequestReader(contract, row_limit)

    def read(self, body: bytes) -> Sequence[Row]:
        """The rows of a request, each in the contract's order.

        Raises: HTTPException with 400 if it is not JSON; OutsideContract, naming each fault.
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
        return [tuple(row.values()) for row in self._explaining.read(strict_json(body))]


def strict_json(body: bytes) -> object:
    """A JSON value: UTF-8, no NaN or Infinity, no name twice in one object, not nested without end.

    Raises: HTTPException with 400.
    """
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise _not_json("it is nested too deeply") from None
    except ValueError as error:
        raise _not_json(str(error)) from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:80]!r} is there twice in one object")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def _not_json(reason: str) -> HTTPException:
    return HTTPException(HTTPStatus.BAD_REQUEST, f"The body is not JSON: {reason[:300]}.")


def _kind(column: Column) -> Any:
    if column.choices:
        # A Literal made at run time is what msgspec reads as an enumeration.
        return Literal[column.values]
    return Annotated[int, msgspec.Meta(ge=column.minimum, le=column.maximum)]
