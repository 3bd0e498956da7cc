"""What lies in a folder, to be compared before and after something hostile."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TypeVar

AT_A_TIME = 100  # inputs between two comparisons: so many are to be tried again when one has changed a home

Names = Callable[[str], bool]
T = TypeVar("T")


def no_name(_: str) -> bool:
    """Picks nothing."""
    return False


def fingerprint(folder: Path, *, unread: Names = no_name) -> dict[str, str]:
    """Describes a folder, as `.`, and all that lies below it by its path from there.

    Args:
        folder: Where to look; no link is followed.
        unread: Of which files only kind and mode are taken.
    """
    found = {}
    for path in (folder, *_below(folder)):
        name = str(path.relative_to(folder))
        with suppress(FileNotFoundError):  # a part that runs renames its files
            found[name] = _described(path, is_read=not unread(name))
    return found


def _below(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        yield from (Path(root, name) for name in (*folders, *files))


def _described(path: Path, *, is_read: bool) -> str:
    """Says kind and mode as `ls` does, and what is behind them: a content's hash, a device, a link's aim."""
    status = path.lstat()
    mode = stat.filemode(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return f"link to {path.readlink()}"
    if stat.S_ISREG(status.st_mode) and is_read:
        return f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        return f"{mode} {os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return mode


def comes_in(name: str) -> bool:
    """Picks what a service writes of itself: its log, and the predictions that it has made."""
    return name.endswith(".log") or name == "spool" or name.startswith("spool/")


def changes(before: dict[str, str], after: dict[str, str], *, but: Names, new: Names = no_name) -> list[str]:
    """Names what is not as it was, but for what may change.

    Args:
        before: What was there.
        after: What is there.
        but: Whose names may come, go and get other content, as files and folders of one mode.
        new: Whose names may come so, and then stay as they are.
    """

    def is_let_through(name: str) -> bool:
        was, now = before.get(name), after.get(name)
        if any(one and one[0] not in "-d" for one in (was, now)):
            return False
        if was is None:
            return but(name) or new(name)
        return but(name) and (now is None or was.split()[0] == now.split()[0])

    changed = (name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return sorted(name for name in changed if not is_let_through(name))


@contextmanager
def unchanged(folder: Path, *, but: Names = no_name) -> Iterator[None]:
    """Asserts that what is done meanwhile changes nothing below a folder.

    Args:
        folder: All of it is described before and after.
        but: Whose names may change, as files and folders.
    """
    before = _of_a_home(folder, but)
    yield
    assert not (found := changes(before, fingerprint(folder, unread=but), but=but)), found


def compared(
    folder: Path, inputs: Iterable[T], *, seed: int, but: Names = no_name, new: Names = no_name
) -> Iterator[list[T]]:
    """Gives inputs a hundred at a time, and asserts after each hundred that it has changed nothing.

    Args:
        folder: All of it is described before and after each hundred.
        inputs: What is tried on it.
        seed: What they were drawn with; a failure names it.
        but: Whose names may change, as files and folders.
        new: Whose names may come, and then stay as they are.
    """
    before, drawn, first = _of_a_home(folder, but), iter(inputs), 0
    while some := list(islice(drawn, AT_A_TIME)):
        yield some
        after = fingerprint(folder, unread=but)
        found, last = changes(before, after, but=but, new=new), first + len(some) - 1
        assert not found, f"inputs {first} to {last} of seed {seed} changed {found}"
        before, first = after, last + 1


def _of_a_home(folder: Path, but: Names) -> dict[str, str]:
    before = fingerprint(folder, unread=but)
    assert before.keys() - {"."}, f"{folder} is empty: nothing of it could be changed"
    return before
