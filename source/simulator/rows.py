"""Rows from a file, for the simulator: all strings, in the contract's order of columns."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from contracts.covertype import covertype
from contracts.errors import RowsUnreadable

# The service hands out a tenth of a tenth: fewer rows make empty responses.
FEWEST_ROWS = 100


def read_rows(path: Path) -> pa.Table:
    """Reads csv, csv.gz or parquet with the contract's header, in any order of columns.

    Values are not judged: an edition with dirt in it is served with its dirt.

    Returns: strings, shape (n_rows, 13); what is empty or null in the file is an empty string.
    Raises: RowsUnreadable, naming what differs.
    """
    try:
        table = _read(path)
    except FileNotFoundError:
        raise RowsUnreadable(path, "there is no such file") from None
    except (pa.ArrowException, OSError, EOFError) as error:
        raise RowsUnreadable(path, str(error).splitlines()[0]) from error
    _check_header(path, table.column_names)
    if table.num_rows < FEWEST_ROWS:
        raise RowsUnreadable(path, f"it has {table.num_rows} rows, and the simulator needs {FEWEST_ROWS}")
    names = [column.source_name for column in covertype().columns]
    return pa.table({name: _strings(path, name, table[name]) for name in names})


def _read(path: Path) -> pa.Table:
    if path.name.endswith(".parquet"):
        return pq.read_table(path)
    if not path.name.endswith((".csv", ".csv.gz")):
        raise RowsUnreadable(path, f"its name ends in {path.suffix!r}")
    names = [column.source_name for column in covertype().columns]
    options = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
    )
    return pyarrow.csv.read_csv(path, convert_options=options)


def _check_header(path: Path, header: list[str]) -> None:
    expected = [column.source_name for column in covertype().columns]
    if len(header) == 55 and sorted(header) != sorted(expected):
        raise RowsUnreadable(
            path, "it has 55 columns, UCI's one-hot form; `canopy source fetch` brings the set recoded"
        )
    missing = [name for name in expected if name not in header]
    unexpected = [name for name in header if name not in expected]
    repeated = sorted({name for name in header if header.count(name) > 1})
    found = {"missing": missing, "unexpected": unexpected[:10], "repeated": repeated}
    if any(found.values()):
        raise RowsUnreadable(
            path, "; ".join(f"{what} columns: {', '.join(n)}" for what, n in found.items() if n)
        )


def _strings(path: Path, name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise RowsUnreadable(path, f"{name} holds {kind}, not integers or strings")
    return values.cast(pa.string()).fill_null("")
