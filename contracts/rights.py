"""Sets file permissions: what Canopy writes is its owner's, and the analysts' file a group's too."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import SettingsInvalid

OTHERS = 0o077
_persons: list[int] = []


def keep_private() -> None:
    """Has all that this process and its children write be their owner's, whatever the umask was."""
    before = os.umask(OTHERS)
    if before != OTHERS:  # asked for a second time, it is the person's no more
        _persons[:] = [before]


@contextmanager
def as_person() -> Iterator[None]:
    """Has what is written in between, at a place that a person names, follow that person's own umask."""
    before = os.umask(OTHERS)
    os.umask(_persons[0] if _persons else before)
    try:
        yield
    finally:
        os.umask(before)


def group_number(name: str) -> int:
    """Returns the number of a group that this user can give files to.

    Raises: SettingsInvalid if there is none, or the user is not in it.
    """
    try:
        number = grp.getgrnam(name).gr_gid
    except KeyError:
        remedy = f"This machine has no such group. Make it (`groupadd {name}`), or take the setting away."
        raise SettingsInvalid("CANOPY_GROUP", name, remedy) from None
    if os.geteuid() and number not in {os.getegid(), *os.getgroups()}:
        remedy = (
            f"You are not in this group. Have yourself added (`usermod -aG {name} USER`) and sign in anew."
        )
        raise SettingsInvalid("CANOPY_GROUP", name, remedy)
    return number


def share(path: Path, group: int, mode: int) -> None:
    """Gives a file or folder of this user to a group; a link, or what belongs to another, is left alone."""
    if path.is_symlink() or not path.exists() or path.stat().st_uid != os.geteuid():
        return
    os.chown(path, -1, group)
    path.chmod(mode)  # after the group: a change of it takes setgid away


def tighten(path: Path, shared: Collection[Path] = ()) -> int:
    """Takes the rights of all others away from a file, or a folder with all that is in it.

    Links are not followed; what belongs to another, has a second name elsewhere or is shared stays as it is.

    Returns: How many files and folders had other rights.
    """
    changed = int(path not in shared and _tighten(path))
    for place, folders, files, descriptor in os.fwalk(path, follow_symlinks=False):
        names = [name for name in (*folders, *files) if Path(place, name) not in shared]
        changed += sum(_tighten(name, descriptor) for name in names)
    return changed


def _tighten(path: Path | str, folder: int | None = None) -> bool:
    found = os.stat(path, dir_fd=folder, follow_symlinks=False)
    if not _is_wide(found):
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:  # gone, or a link by now
        return False
    try:
        found = os.fstat(descriptor)
        if is_wide := _is_wide(found):
            os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & 0o700)
        return is_wide
    finally:
        os.close(descriptor)


def _is_wide(found: os.stat_result) -> bool:
    is_ours = found.st_uid == os.geteuid() and (stat.S_ISDIR(found.st_mode) or found.st_nlink == 1)
    is_kept = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    return is_ours and is_kept and bool(stat.S_IMODE(found.st_mode) & (OTHERS | stat.S_ISGID))
