"""Copies of a SQLite catalog: bronze makes a damaged one anew, but not what was published of it."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from contracts.errors import CatalogUnusable
from contracts.plain_files import open_plain
from contracts.put_away import put_away
from lake.catalog.copy import OWN_TABLE, copy_whole, has_catalog
from lake.settings import LakeSettings

logger = logging.getLogger(__name__)

FOLDER, NAME = "catalogs", re.compile(r"catalog-\d{8}T\d{6}Z\.sqlite", re.ASCII)
MAGIC, HEAD_BYTES = b"SQLite format 3\x00", 100


def keep_catalog(settings: LakeSettings, now: datetime | None = None) -> Path | None:
    """Copies the catalog as it is after one of its commits, proves the copy, and lets go of the oldest.

    Returns: The copy; None where the catalog is PostgreSQL's, which has its own backups, or is not there yet.
    Raises: CatalogUnusable if it is damaged; the copies of better days stay.
    """
    catalog = Path(settings.catalog_target)
    if settings.catalog_kind != "sqlite" or not has_catalog(settings):
        return None
    folder = catalog.parent / FOLDER
    folder.mkdir(exist_ok=True, mode=0o700)
    kept = folder / f"catalog-{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}.sqlite"
    unproven = kept.with_suffix(".unproven")
    try:
        _copy(catalog, unproven)
        unproven.replace(kept)
    except sqlite3.Error as error:
        raise CatalogUnusable(str(catalog), f"it could not be copied: {error}.") from error
    finally:
        unproven.unlink(missing_ok=True)
    others = [copy for copy in _copies(folder) if copy != kept]  # those of a clock ahead are not newer
    for old in others[: max(0, len(others) + 1 - settings.keep_catalogs)]:
        old.unlink()
    logger.info("catalog_kept file=%s bytes=%d", kept, kept.stat().st_size)
    return kept


def _copies(folder: Path) -> list[Path]:
    """Returns the copies, oldest first; what has the name of one and is none is put away, and pushes none
    out."""
    found = []
    for file in sorted(file for file in folder.iterdir() if NAME.fullmatch(file.name)):
        if _is_whole(file) and _is_catalog(file):
            found.append(file)
        else:
            with suppress(OSError):
                put_away(file, "it is no copy of a catalog, or a part of one")
    return found


def _is_catalog(file: Path) -> bool:
    """Returns whether a database has a table of DuckLake's: another program's is not ours to let go of."""
    source = f"file:{quote(str(file))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(source, uri=True)) as opened:
            return opened.execute(OWN_TABLE).fetchone() is not None
    except sqlite3.Error:
        return False


def _is_whole(file: Path) -> bool:
    """Returns whether a file is as long as a database of SQLite says in its head (its file format, 1.3)."""
    try:
        with open_plain(file) as opened:
            head, size = opened.read(HEAD_BYTES), os.fstat(opened.fileno()).st_size
    except OSError:
        return False
    if len(head) < HEAD_BYTES or not head.startswith(MAGIC):
        return False
    page, pages = int.from_bytes(head[16:18]), int.from_bytes(head[28:32])
    return size == (65_536 if page == 1 else page) * pages


def _copy(catalog: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    copy_whole(catalog, target)
    with closing(sqlite3.connect(target)) as copy:
        found = [row[0] for row in copy.execute("pragma integrity_check(5)")]
        if found != ["ok"]:
            raise sqlite3.DatabaseError("; ".join(found))
        copy.execute("select count(*) from ducklake_snapshot").fetchone()
