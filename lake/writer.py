"""One writer at a time, where the catalog takes only one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from contracts.errors import LakeBusy
from lake.settings import LakeSettings

LOCK_TIMEOUT_S = 900.0
PUBLISHING = 20261127  # the number of PostgreSQL's lock, the same for whoever publishes
_WRITING: Counter[Path] = Counter()


@contextmanager
def one_writer(lake: LakeSettings) -> Iterator[None]:
    """A SQLite catalog takes one writer; PostgreSQL keeps order by itself.

    Who holds it may ask for it again: a refine holds it over steps that can also be made alone.

    Raises: LakeBusy if another program has not come to an end within a quarter of an hour.
    """
    if lake.catalog_kind != "sqlite":
        yield
        return
    file = _lock_file(lake)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(file, timeout=LOCK_TIMEOUT_S, is_singleton=True):
            _WRITING[file] += 1
            try:
                yield
            finally:
                _WRITING[file] -= 1
    except Timeout as error:
        raise LakeBusy(str(file), LOCK_TIMEOUT_S) from error


@contextmanager
def one_publisher(lake: LakeSettings) -> Iterator[None]:
    """Has publications follow one another: two at once would take the same number, and one be lost.

    PostgreSQL lets go of its lock with the connection, also when the process is killed.
    """
    if lake.catalog_kind == "sqlite":
        with one_writer(lake):
            yield
        return
    import psycopg2  # a lake of one machine does not need it

    with closing(psycopg2.connect(lake.catalog_target)) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", (PUBLISHING,))
        yield


def is_writer(lake: LakeSettings) -> bool:
    """Whether this process is the one that writes, in whichever thread."""
    return _WRITING[_lock_file(lake)] > 0


def _lock_file(lake: LakeSettings) -> Path:
    return Path(f"{lake.catalog_target}.lock").absolute()
