"""Where a person has a command write: looked at before the work is done."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from contracts.plain_files import absolute


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
