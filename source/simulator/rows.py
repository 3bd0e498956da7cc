"""Rows from a file, for the simulator: all strings, in the contract's order of columns."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa

from contracts.covertype import covertype
from contracts.errors import OutsideContract, RowsUnreadable, faults_text
from sandbox.limits import Limits
from tabular.calling import TableCaller
from tabular.errors import TableUnreadable
from tabular.streams import read_stream

# The service hands out a tenth of a tenth: fewer rows make empty responses.
FEWEST_ROWS = 100
# The survey has 581,012 rows, and 76 MB as CSV.
MOST_ROWS, MOST_BYTES = 20_000_000, 2 * 2**30
LIMITS = Limits(memory_bytes=3 * MOST_BYTES, cpu_s=300, wall_s=300.0, output_bytes=2 * MOST_BYTES)
ASKED = {"rows": MOST_ROWS, "bytes": MOST_BYTES, "values": MOST_BYTES}


def read_rows(path: Path, caller: TableCaller | None = None) -> pa.Table:
    """Reads a file (docs/files.md: of which formats) with the contract's columns, in any order.

    Values are not judged: an edition with dirt in it is served with its dirt. The file is read in a process
    of its own, which may die of it.

    Args:
        path: The file.
        caller: What reads it; one of its own where None.

    Returns: strings, shape (n_rows, 13); what is empty or null in the file is an empty string.
    Raises: RowsUnreadable, naming what differs.
    """
    if caller is None:
        with closing(TableCaller()) as own:
            return read_rows(path, own)
    try:
        with path.open("rb") as body, tempfile.TemporaryFile() as out:
            rows = caller.call("write_survey", ASKED, LIMITS, body, out)
            table = read_stream(out, MOST_BYTES) if rows else None
    except FileNotFoundError:
        raise RowsUnreadable(path, "there is no such file") from None
    except TableUnreadable as error:
        raise RowsUnreadable(path, error.what, error.remedy) from error
    except OutsideContract as error:
        raise RowsUnreadable(path, faults_text(_in_source_names(error.violations)), error.note) from error
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise RowsUnreadable(path, (str(error).splitlines() or ["it takes too much memory"])[0]) from error
    found = table.num_rows if table else 0
    if table is None or found < FEWEST_ROWS:
        raise RowsUnreadable(path, f"it has {found} rows, and the simulator needs {FEWEST_ROWS}")
    return table


def _in_source_names(faults: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    names = {column.name: column.source_name for column in covertype().columns}
    return [{**fault, "field": names.get(str(fault["field"]), fault["field"])} for fault in faults]
