"""One writer at a time, where the catalog takes only one; and one SQLite at a time in a process.

DuckDB brings a SQLite of its own. Two of them in one process do not see each other's locks, and whichever
closes a file lets go of the locks of both ("How To Corrupt An SQLite Database File", 2.2.1): while a thread
wrote by DuckDB, another one that copied the catalog by Python ended the process or damaged the catalog.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from contracts.errors import CatalogUnusable, LakeBusy, NothingPublished
from lake.settings import LakeSettings

LOCK_TIMEOUT_S = 900
OTHERS_TIMEOUT_S = 60.0
PUBLISHING = "ducklake_metadata"  # of a catalog in PostgreSQL, the table whose lock a publisher holds
_WRITING: Counter[Path] = Counter()
_WRITERS: dict[Path, int] = {}  # the thread that writes
_IN_SQLITE = threading.Lock()  # held while Python's SQLite has a catalog open


@contextmanager
def one_writer(lake: LakeSettings) -> Iterator[None]:
    """Takes the one writer's turn of a SQLite catalog; PostgreSQL keeps order by itself.

    Who holds it may ask for it again: a refine holds it over steps that can also be made alone.

    Raises: LakeBusy if another program has not come to an end within a quarter of an hour; CatalogUnusable.
    """
    if lake.catalog_kind != "sqlite":
        yield
        return
    file = _lock_file(lake)
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file, timeout=LOCK_TIMEOUT_S, is_singleton=True)
    try:
        lock.acquire()
    except Timeout as error:
        raise LakeBusy(str(file), LOCK_TIMEOUT_S) from error
    except OSError as error:
        raise CatalogUnusable(lake.catalog_target, f"its lock cannot be had: {error}.") from error
    try:
        if not _WRITING[file]:
            _wait_for_others(lake)
        with _IN_SQLITE:  # whoever reads in another thread comes to an end
            _WRITING[file] += 1
            _WRITERS[file] = threading.get_ident()
        try:
            yield
        finally:
            _WRITING[file] -= 1
    finally:
        lock.release()


@contextmanager
def one_publisher(lake: LakeSettings) -> Iterator[None]:
    """Has publications, and records of audits, follow one another: two at once would take the same number.

    In PostgreSQL it holds a lock of a table that only who writes there may take, and that stops no reader and
    no writer; an advisory lock could be held by every account. It ends with the connection, also when the
    process is killed.

    Raises: LakeBusy if another has not come to an end within a quarter of an hour; NothingPublished if there
        is no catalog.
    """
    if lake.catalog_kind == "sqlite":
        with one_writer(lake):
            yield
        return
    import psycopg2  # a lake of one machine does not need it

    with closing(psycopg2.connect(lake.catalog_target)) as connection, connection.cursor() as cursor:
        cursor.execute(f"set local lock_timeout = '{LOCK_TIMEOUT_S}s'")
        try:
            cursor.execute(f"lock table {PUBLISHING} in share update exclusive mode")
        except psycopg2.errors.LockNotAvailable as error:
            raise LakeBusy(f"the lock of {PUBLISHING} in PostgreSQL", LOCK_TIMEOUT_S) from error
        except psycopg2.errors.UndefinedTable as error:
            raise NothingPublished("The lake has no catalog in PostgreSQL yet") from error
        yield


def _wait_for_others(lake: LakeSettings) -> None:
    """Waits for who knows nothing of our lock and may hold the catalog's own, such as a database browser.
    Raises: LakeBusy."""
    catalog = Path(lake.catalog_target)
    if not catalog.is_file():
        return
    try:
        with _IN_SQLITE, closing(sqlite3.connect(catalog, timeout=OTHERS_TIMEOUT_S)) as connection:
            connection.execute("begin immediate")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:  # its kinds have further bits
            raise LakeBusy(str(catalog), OTHERS_TIMEOUT_S) from error
        # Whatever else is wrong with it is told by who opens it.
    except sqlite3.DatabaseError:
        return


def is_writer(lake: LakeSettings) -> bool:
    """Returns whether this process is the one that writes, in whichever thread."""
    return _WRITING[_lock_file(lake)] > 0


@contextmanager
def may_open(catalog: Path) -> Iterator[bool]:
    """Yields whether Python's SQLite may open a SQLite catalog: not while DuckDB has it open in this process.

    As long as this lasts no other thread begins to write.
    """
    with _IN_SQLITE:
        lock = Path(f"{catalog}.lock").absolute()
        is_anothers = _WRITING[lock] > 0 and _WRITERS[lock] != threading.get_ident()
        if not is_anothers and not _is_open(catalog):
            yield True
            return
    yield False


def _is_open(file: Path) -> bool:
    """Returns whether this process has a file open."""
    try:
        wanted = file.stat()
        handles = list(Path("/proc/self/fd").iterdir())
    except OSError:
        return False
    for handle in handles:
        with suppress(OSError):  # closed meanwhile
            if os.path.samestat(handle.stat(), wanted):
                return True
    return False


def _lock_file(lake: LakeSettings) -> Path:
    return Path(f"{lake.catalog_target}.lock").absolute()
