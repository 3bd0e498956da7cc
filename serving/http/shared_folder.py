"""The folder in which several workers count: it goes with the service, however that ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX, LOCK = "metrics-", "owner.lock"


@contextmanager
def shared_folder(parent: Path) -> Iterator[Path]:
    """Makes a folder and removes it at the end; those of services that were killed go at the next start.

    Args:
        parent: Where it is made, and where those that were left are looked for.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{PREFIX}*"):
        _remove_left(left)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    owner = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(owner, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(owner)


def _remove_left(folder: Path) -> None:
    """Removes a folder whose owner does not hold its lock any more."""
    with suppress(OSError):  # another's start is as good a time
        owner = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(owner)
