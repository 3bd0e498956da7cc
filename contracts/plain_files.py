"""Files that are files: to read one never waits for a pipe, and ends where a device would not."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

# Nothing that a part writes and reads whole comes near this; a sparse file costs its maker nothing.
LARGEST_BYTES = 2**30


def open_plain(path: Path, most: int | None = None) -> BufferedReader:
    """Opens a file, or what a link to one leads to, to be read.

    Args:
        path: The file.
        most: How many bytes it may have; any number if not given.

    Raises: OSError, also where it is a folder, a pipe, a socket, a device, or too large.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        mode = found.st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is a pipe, a socket or a device", str(path))
        if most is not None and found.st_size > most:
            raise OSError(errno.EFBIG, f"it has {found.st_size:,} bytes, and {most:,} are read", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


@contextmanager
def replaced_when_whole(file: Path) -> Iterator[BinaryIO]:
    """Gives something to write to, and puts it in a file's place at the end; what is no file is written to.

    Where it does not come to its end, what was there stays. Raises: OSError.
    """
    if file.exists() and not file.is_file():  # such as /dev/null
        with file.open("wb") as sink:
            yield sink
        return
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    sink = part.open("xb")
    try:
        with sink:
            yield sink
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def absolute(path: Path) -> Path:
    """Returns where a path leads from the root on; a circle of links (`Path.resolve` raises) as far as it
    goes."""
    return Path(os.path.realpath(path.expanduser()))


def is_something_else(path: Path, is_wanted: Callable[[int], bool]) -> bool:
    """Returns whether something is there that is not what is wanted; asked once, for it may go away
    meanwhile.

    Args:
        path: Where it is looked for; a link counts as what it leads to.
        is_wanted: Says it of a mode, as `stat.S_ISREG` does.
    """
    try:
        return not is_wanted(path.stat().st_mode)
    except FileNotFoundError:
        return path.is_symlink()
    except OSError:  # such as a loop of links, or a file where a folder should be
        return os.path.lexists(path)


def has_other_names(path: Path) -> bool:
    """Returns whether a file that is there is reached by another hard link too."""
    try:
        return path.stat().st_nlink > 1
    except OSError:
        return False


def read_plain(path: Path) -> bytes:
    """Reads a whole file of a gigabyte at most. Raises: OSError, as `open_plain`."""
    with open_plain(path, LARGEST_BYTES) as file:
        return file.read()


def require_place(file: Path) -> None:
    """Checks that a file can be written where a person wants it; a link counts as what it leads to.

    Raises: OSError, naming the file as the person did.
    """
    target = absolute(file)
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder, and a file is written", str(file))
    if target.exists() and not target.is_file():  # such as /dev/null
        return
    if not target.parent.exists():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder to write it into", str(file))
    if not target.parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "what it would lie in is no folder", str(file))
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "nothing can be written into its folder", str(file))
