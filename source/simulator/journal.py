"""A record of what was sent, for whoever must prove that nothing of it was lost."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from contracts.errors import SettingsInvalid

SERVED, IS_CUT = "served", "is_cut"


@dataclass(frozen=True)
class Served:
    """What the service tells the journal of a batch, through the request's state."""

    group: int
    batch: int
    rows: int


class Journal:
    """A file with one JSON line per batch, for any number of processes.

    A line is one write to a file opened for appending: the kernel puts it behind all others, whole.
    """

    def __init__(self, file: Path) -> None:
        """Raises: SettingsInvalid if the file cannot be written."""
        self._file = file
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._append(b"")
        except OSError as error:
            remedy = f"It cannot be written ({error.strerror}: {error.filename}); name another file."
            raise SettingsInvalid("SIMULATOR_JOURNAL", str(file), remedy) from error

    def record(self, served: Served, body: bytes, *, is_cut: bool) -> None:
        """Adds a batch; when this returns, a reader of the file sees the line."""
        line = vars(served) | {
            "bytes": len(body), "sha256": sha256(body).hexdigest(), "is_cut": is_cut, "process": os.getpid(),
        }  # fmt: skip
        self._append(json.dumps(line).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW
        descriptor = os.open(self._file, flags, 0o644)
        try:
            if os.fstat(descriptor).st_nlink > 1:  # as with a link: it may be somebody's file
                raise OSError(errno.EMLINK, "it has a second name", str(self._file))
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
