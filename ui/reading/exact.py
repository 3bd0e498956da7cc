"""Tables whose values stay as they came, though pandas and browsers count whole numbers in doubles."""

from __future__ import annotations

from collections.abc import Container, Sequence
from decimal import Decimal
from itertools import chain, count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MOST_IN_A_BROWSER = 2**53  # JavaScript knows each whole number up to it


def exact_frame(table: pa.Table) -> pd.DataFrame:
    """Returns a DataFrame of flat columns; whole numbers stay whole, also beside missing ones.

    Where a name comes twice, the later ones get a number: neither Parquet nor Streamlit takes both.

    Raises: ArrowException, ValueError, OverflowError.
    """
    import pandas as pd
    import pyarrow as pa

    nullable = {
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint8(): pd.UInt8Dtype(),
        pa.uint16(): pd.UInt16Dtype(),
        pa.uint32(): pd.UInt32Dtype(),
        pa.uint64(): pd.UInt64Dtype(),
    }
    columns = zip(table.schema.types, table.columns, strict=True)
    wanted = {kind: nullable[kind] for kind, column in columns if column.null_count and kind in nullable}
    # By number: pyarrow gives columns of one name one type.
    frame = table.rename_columns([str(place) for place in range(table.num_columns)])
    made: pd.DataFrame = frame.to_pandas(types_mapper=wanted.get)
    return made.set_axis(_different(table.column_names), axis=1)


def _different(names: Sequence[str]) -> list[str]:
    taken = list[str]()
    for name in names:
        taken.append(free_name(name, {*taken, *names[len(taken) + 1 :]} if name in taken else ()))
    return taken


def free_name(name: str, taken: Container[str]) -> str:
    """Returns the name itself, or with the first number behind it that makes it another than those taken."""
    numbered = (f"{name}_{number}" for number in count(2))
    return next(one for one in chain([name], numbered) if one not in taken)


def shown_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns the same to look at: numbers that a browser would round are text. Downloads take the other."""
    shown = frame.copy(deep=False)
    for place in range(frame.shape[1]):
        column = frame.iloc[:, place]
        if _is_rounded(column):
            shown.isetitem(place, column.astype(object).map(str, na_action="ignore").array)
    return shown


def _is_rounded(column: pd.Series) -> bool:
    if column.dtype.kind in "iu":
        known = column.dropna()
        return bool(len(known)) and max(-int(known.min()), int(known.max())) > MOST_IN_A_BROWSER
    return column.dtype.kind == "O" and any(isinstance(value, Decimal) for value in column)
