"""Where a connection's intermediate rows go that have no room in memory: a folder of its own.

By itself DuckDB takes `.tmp` in the working folder, with files of the same names for everybody: of two
programs there, or two connections of one program, each reads what the other has written over its rows.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

from lake.settings import LakeSettings

PREFIX = ".spilled-"
MADE = re.compile(rf"{re.escape(PREFIX)}(?P<owner>\d+)-[0-9a-f]{{8}}", re.ASCII)


def spill_folder(settings: LakeSettings) -> str:
    """Returns a new connection's folder: DuckDB makes it when it needs it, and removes it with the
    connection.

    It lies beside a catalog that is a file, else, or where nothing may be written, with the temporary files.
    What killed processes have left there goes first, once in a process.
    """
    beside = Path(settings.catalog_target).absolute().parent if settings.catalog_kind == "sqlite" else None
    folder = beside if beside and os.access(beside, os.W_OK) else Path(tempfile.gettempdir())
    _sweep(folder)
    return str(folder / f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}")


@lru_cache
def _sweep(folder: Path) -> None:
    for left in folder.glob(f"{PREFIX}*"):
        made = MADE.fullmatch(left.name)
        if made and left.is_dir() and not left.is_symlink() and not Path("/proc", made["owner"]).exists():
            shutil.rmtree(left, ignore_errors=True)
