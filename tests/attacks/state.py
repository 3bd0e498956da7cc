"""What lies in a folder, to be compared before and after something hostile."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file below a folder by its path from there: the hash of its content, or where a link points."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        with suppress(FileNotFoundError):  # a part that runs renames its files
            if path.is_symlink():
                found[name] = f"link to {path.readlink()}"
            elif path.is_file():
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def comes_in(name: str) -> bool:
    """Whether a file is what a service writes of itself: its log, and the predictions that it has made."""
    return name.endswith(".log") or name.startswith("spool/")


@contextmanager
def unchanged(folder: Path, *, but: Callable[[str], bool] = lambda _: False) -> Iterator[None]:
    """Asserts that what is done meanwhile changes no byte below a folder.

    Args:
        folder: All of it is hashed before and after.
        but: Whose names may change.
    """
    before = fingerprint(folder)
    assert before, f"{folder} is empty: nothing of it could be changed"
    yield
    after = fingerprint(folder)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert not (found := sorted(name for name in changed if not but(name))), found
