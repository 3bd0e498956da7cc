"""Files that only their owner reads."""

from __future__ import annotations

import os
from pathlib import Path

from contracts.put_away import put_away


def write_private(file: Path, text: str) -> None:
    """Writes a file that only its owner reads; it is never there with wider rights, and never half."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.is_dir() and not file.is_symlink():
        put_away(file, "it lies where a file must be, and is a folder")
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    # What somebody has put there, a link or a file with their rights, gets nothing of it.
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        # Else a power cut may leave the new name with nothing in it.
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
