"""A person's file of cells, read for a look and cut into requests."""

from __future__ import annotations

import atexit
import math
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from contracts.covertype import covertype
from contracts.errors import OutsideContract, RowsUnreadable, faults_text
from sandbox.limits import Limits
from tabular.calling import TableCaller
from tabular.errors import TableUnreadable
from tabular.names import match
from ui.reading.exact import exact_frame
from ui.settings import UiSettings

if TYPE_CHECKING:
    import pandas as pd

MEGABYTES = 50
VALUE_BYTES = 200_000_000
ROWS = 1_000_000
AT_ONCE = 2
# As many as the service holds in memory at a time: between two of them the page tells how far it is.
CHUNK = 16_384

_places = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class CellFile:
    """The file's rows.

    Attributes:
        name: As the person named it.
        frame: All its columns, in its own order and names; the features as they were read.
        cells: The twelve features of it, by the contract's names.
    """

    name: str
    frame: pd.DataFrame
    cells: pd.DataFrame

    def chunks(self) -> Iterator[bytes]:
        """Yields the cells as CSV, CHUNK of them at a time."""
        for start in range(0, len(self.cells), CHUNK):
            yield self.cells.iloc[start : start + CHUNK].to_csv(index=False).encode("utf-8")


def read_cells(name: str, content: bytes, ui: UiSettings | None = None) -> CellFile:
    """Reads a file whose columns bear the contract's names or the source's, in any order; others are kept.

    The file is read in a process of its own, which may die of it (docs/files.md: what it takes).

    Args:
        name: As the person named it.
        content: Its bytes.
        ui: What may be taken to read it.

    Raises: RowsUnreadable, naming what is missing; OutsideContract, naming each value that is not allowed.
    """
    frame = _frame(name, content, ui or UiSettings())
    features = covertype().features
    places = match([str(column) for column in frame.columns], features).places
    return CellFile(name, frame, frame.iloc[:, list(places)].set_axis([one.name for one in features], axis=1))


def _frame(name: str, content: bytes, ui: UiSettings) -> pd.DataFrame:
    import pyarrow as pa

    from tabular.streams import read_stream

    limits = Limits(
        memory_bytes=ui.upload_memory_mb * 1_000_000,
        cpu_s=math.ceil(2 * ui.upload_timeout_s),
        wall_s=ui.upload_timeout_s,
        output_bytes=VALUE_BYTES + 1_000_000,
    )
    asked = {"rows": ROWS, "bytes": VALUE_BYTES, "values": VALUE_BYTES}
    if not _places.acquire(timeout=ui.upload_timeout_s):
        raise RowsUnreadable(name, "other files are being read just now", "Choose it again in a moment.")
    try:
        with tempfile.TemporaryFile() as body, tempfile.TemporaryFile() as out:
            body.write(content)
            body.flush()
            _reader().call("write_cells", asked, limits, body, out)
            return exact_frame(read_stream(out, VALUE_BYTES))
    except TableUnreadable as error:
        raise RowsUnreadable(name, error.what, error.remedy) from error
    except OutsideContract as error:
        if error.violations[0]["row"] is not None:
            raise
        raise RowsUnreadable(name, faults_text(error.violations), error.note) from error
    except (pa.ArrowException, OSError, ValueError, OverflowError, KeyError, MemoryError) as error:
        raise RowsUnreadable(name, f"{type(error).__name__}: {error}") from error
    finally:
        _places.release()


@lru_cache(maxsize=1)
def _reader() -> TableCaller:
    reader = TableCaller()
    atexit.register(reader.close)
    return reader
