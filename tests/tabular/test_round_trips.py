"""What is written in any format and dialect comes back as the same rows."""

from __future__ import annotations

import csv
import decimal
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.covertype import Column
from tests.tabular.people import (
    CONTRACT,
    FEATURES,
    Row,
    as_arrow,
    as_csv,
    as_lines,
    as_parquet,
    features,
    packed,
    served,
)

quiet = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])  # cores are shared


def values_of(column: Column) -> st.SearchStrategy[int | str]:
    if column.choices:
        return st.sampled_from(column.values)
    return st.integers(column.minimum, column.maximum)


ROWS = st.lists(
    st.fixed_dictionaries({column.name: values_of(column) for column in CONTRACT.features}),
    min_size=1,
    max_size=5,
)
NAMES = st.permutations(FEATURES)
SPELLINGS: list[Callable[[Column], str]] = [
    lambda column: column.name,
    lambda column: column.source_name,
    lambda column: column.source_name.upper(),
    lambda column: f" {column.name} ",
]


@st.composite
def named(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Rows as they are, and as a person may have them: in another order, with other names and columns."""
    rows, names = draw(ROWS), draw(NAMES)
    spell = draw(st.sampled_from(SPELLINGS))
    others = draw(st.lists(st.sampled_from(["Id", "", "__index_level_0__", "plot", "notas"]), unique=True))
    order = draw(st.permutations([*names, *others]))
    values = {"Id": 7, "": 0, "__index_level_0__": 3, "plot": "a, b;\tc", "notas": 'dijo "sí"'}
    columns = {one.name: spell(one) for one in CONTRACT.features}
    return rows, [
        {columns.get(name, name): row.get(name, values.get(name)) for name in order} for row in rows
    ]


TEXTS: dict[str, Callable[[Any], str]] = {
    "as they are": str,
    "with a fraction": lambda value: f"{value}.0" if isinstance(value, int) else str(value),
    "with a decimal comma": lambda value: f"{value},00" if isinstance(value, int) else str(value),
    "with thousands, the Spanish way": lambda value: (
        f"{value:,}".replace(",", ".") + ",0" if isinstance(value, int) else str(value)
    ),
    "with thousands, the English way": lambda value: f"{value:,}.0" if isinstance(value, int) else str(value),
    "with blanks": lambda value: f"  {value} ",
    "as powers": lambda value: f"{value:e}" if isinstance(value, int) else str(value),
}


@pytest.mark.parametrize("text", TEXTS)
@quiet
@given(
    tables=named(),
    separator=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
    is_packed=st.booleans(),
    trailing=st.sampled_from(["", "\n", "\r\n\r\n"]),
)
def test_csv(
    text: str,
    tables: tuple[list[Row], list[Row]],
    separator: str,
    quoting: int,
    end: str,
    encoding: str,
    is_packed: bool,
    trailing: str,
) -> None:
    rows, written = tables
    content = (as_csv(written, separator, quoting=quoting, end=end, text=TEXTS[text]) + trailing).encode(
        encoding
    )
    assert features(packed(content) if is_packed else content) == rows


NUMBERS = [
    pa.int32(),
    pa.int64(),
    pa.float32(),
    pa.float64(),
    pa.decimal128(9, 2),
    pa.decimal64(9, 3),
    pa.string(),
]
WORDS = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.dictionary(pa.int8(), pa.string()),
    pa.dictionary(pa.uint32(), pa.large_string()),
]
# What Parquet has no type of its own for is written as what it is like, or not at all.
NOT_IN_PARQUET = (pa.decimal64(9, 3),)


@quiet
@given(
    tables=named(),
    number=st.sampled_from(NUMBERS),
    word=st.sampled_from(WORDS),
    how=st.sampled_from(["parquet", "stream", "file", "zstd", "lz4"]),
)
def test_typed_formats(
    tables: tuple[list[Row], list[Row]], number: pa.DataType, word: pa.DataType, how: str
) -> None:
    rows, written = tables
    known = {name: one for one in CONTRACT.features for name in (spell(one) for spell in SPELLINGS)}
    columns = {}
    for name in written[0]:
        values = [row[name] for row in written]
        if name not in known:
            columns[name] = pa.array(values)
        elif known[name].choices:
            columns[name] = pa.array(values).cast(word)
        else:
            columns[name] = _numbers(values, number)
    table = pa.table(columns)
    if how == "parquet":
        table = table.cast(pa.schema([(one.name, _in_parquet(one.type)) for one in table.schema]))
        assert features(as_parquet(table)) == rows
    else:
        compression = how if how in ("zstd", "lz4") else None
        assert features(as_arrow(table, is_file=how != "stream", compression=compression)) == rows


def _numbers(values: list[int], kind: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(kind):
        return pa.array([decimal.Decimal(value) for value in values], kind)
    return pa.array(values).cast(kind)


def _in_parquet(kind: pa.DataType) -> pa.DataType:
    return pa.decimal128(9, 3) if kind in NOT_IN_PARQUET else kind


@quiet
@given(
    tables=named(),
    form=st.sampled_from(["lines", "list", "object", "indented"]),
    number=st.sampled_from([int, float, str]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    is_packed=st.booleans(),
)
def test_json(
    tables: tuple[list[Row], list[Row]], form: str, number: type, encoding: str, is_packed: bool
) -> None:
    rows, written = tables
    changed = [
        {name.strip(): number(value) if isinstance(value, int) else value for name, value in row.items()}
        for row in written
    ]
    text = {
        "lines": as_lines(changed).decode(),
        "list": json.dumps(changed),
        "object": json.dumps({"rows": changed}),
        "indented": json.dumps(changed, indent=1),
    }[form]
    content = text.encode(encoding)
    assert features(packed(content) if is_packed else content) == rows


DIRT = st.sampled_from(["", "110", "NA", "null", "x", "-", " ?", "Ñ", "C9999", "12.5", "1e-3"])


@quiet
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {one.source_name: st.one_of(values_of(one).map(str), DIRT) for one in CONTRACT.columns}
        ),
        min_size=1,
        max_size=6,
    ),
    separator=st.sampled_from(",;\t|"),
    is_packed=st.booleans(),
    is_parquet=st.booleans(),
)
def test_dirt_stays_as_it_is_for_the_simulator(
    rows: list[dict[str, str]], separator: str, is_packed: bool, is_parquet: bool
) -> None:
    label = CONTRACT.label.source_name
    rows[0][label] = "0"  # labels from 1 are refused
    content = as_parquet(rows) if is_parquet else as_csv(rows, separator).encode()
    assert served(packed(content) if is_packed else content) == rows
