"""One writer at a time, where the catalog takes only one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from contracts.errors import LakeBusy
from lake.settings import LakeSettings

LOCK_TIMEOUT_S = 900.0


@contextmanager
def one_writer(lake: LakeSettings) -> Iterator[None]:
    """A SQLite catalog takes one writer; PostgreSQL keeps order by itself.

    Who holds it may ask for it again: a refine holds it over steps that can also be made alone.

    Raises: LakeBusy if another program has not come to an end within a quarter of an hour.
    """
    if lake.catalog_kind != "sqlite":
        yield
        return
    file = Path(f"{lake.catalog_target}.lock")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(file, timeout=LOCK_TIMEOUT_S, is_singleton=True):
            yield
    except Timeout as error:
        raise LakeBusy(str(file), LOCK_TIMEOUT_S) from error
