"""Arrow's types of values: which may hold a column, and how they become whole numbers or words."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from contracts.covertype import Column
from contracts.errors import OutsideContract
from contracts.prediction import Violation, allowed, named
from contracts.reading import shown
from tabular import numbers

# Below it each whole number is a float of its own.
EXACT = 2**53
# No contract's number is above; the upper half of the unsigned ones has no signed one to be compared as.
LARGEST = 2**62
# Arrow takes these for numbers, if all else in a piece is one; nobody else here does.
HEXADECIMAL = (b"0x", b"0X")


def is_text(kind: pa.DataType) -> bool:
    """Returns whether values are text, or bytes that may be."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def fits(column: Column, kind: pa.DataType) -> bool:
    """Returns whether a column's values may be judged: numbers or text, or nothing but missing ones."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if is_text(kind) or pa.types.is_null(kind):
        return True
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return bool(column.kind == "integer" and is_number)


def require_kinds(columns: list[tuple[Column, pa.DataType]]) -> None:
    """Looks at types before any value is read. Raises: OutsideContract, naming each that cannot be judged."""
    found = [
        Violation(row=None, field=column.name, value=shown(str(kind)), allowed=allowed(column), reason="type")
        for column, kind in columns
        if not fits(column, kind)
    ]
    if found:
        raise OutsideContract(named(found), len(found))


def words(values: pa.Array) -> pa.Array:
    """Returns values as text, without a dictionary. Raises: ArrowInvalid if they are not UTF-8."""
    if pa.types.is_dictionary(values.type):
        return words(values.dictionary).take(values.indices)
    return values.cast(pa.string())


def integers(values: pa.Array) -> pa.Array:
    """Returns values as int64, with null for each that is no whole number for sure; nothing is rounded."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return integers(values.dictionary).take(values.indices)
    if is_text(kind):
        return _of_text(words(values))
    if pa.types.is_floating(kind):
        values = values.cast(pa.float64())
        is_exact = pc.and_(
            pc.equal(values, pc.floor(values)), pc.less(pc.abs(values), pa.scalar(float(EXACT)))
        )
        values = pc.if_else(is_exact, values, None)
    elif pa.types.is_decimal(kind):
        values = _of_decimals(values)
    elif kind == pa.uint64():
        values = pc.if_else(pc.less(values, pa.scalar(LARGEST, pa.uint64())), values, None)
    return values.cast(pa.int64())


def _of_decimals(values: pa.Array) -> pa.Array:
    if values.type.bit_width < 128:
        values = values.cast(pa.decimal128(values.type.precision, values.type.scale))
    if values.type.scale < 0:  # whole ones, of tens or hundreds; Arrow cannot compare them
        values = values.cast(pa.decimal256(76, 0))
    is_exact = pc.and_(
        pc.equal(values, pc.round(values, 0)), pc.less(pc.abs(values.cast(pa.float64())), float(EXACT))
    )
    return pc.if_else(is_exact, values, None)


def plain_integers(values: pa.Array) -> pa.Array | None:
    """Returns text as int64, if all of it is digits with or without a minus; else None."""
    if any(pc.any(pc.match_substring(values, mark)).as_py() for mark in HEXADECIMAL):
        return None
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:
        return None


def _of_text(values: pa.Array) -> pa.Array:
    known = plain_integers(values)
    if known is None:
        found = values.dictionary_encode()
        known = [numbers.whole(text) for text in found.dictionary.to_pylist()]
        return pa.array(known, pa.int64()).take(found.indices)
    return known
