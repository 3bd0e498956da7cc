"""A collector in a process of its own that kills itself where it is told: `python -m tests.source.collector`.

It says `ready` once everything is imported, and at its end how many changes it saw. It writes the sha256 of
each response that came in whole into a ledger: what stands there had been received, whatever became of it.
"""

from __future__ import annotations

import os
import signal
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from source import client
from source.collect import collect

CHANGES = ("os.link", "os.mkdir", "os.remove", "os.rename")


class Switch:
    """Counts what changes one of the folders, and kills this process before the n-th change.

    What lies between two changes is killed with the second of them.
    """

    def __init__(self, folders: list[str], fatal: int) -> None:
        self._folders = folders
        self._fatal = fatal
        self.seen = 0

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Python calls this before it opens, links, renames or removes a file."""
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str | Path) and (flags or 0) & (os.O_WRONLY | os.O_RDWR):
                self.count(str(path))
        elif event in CHANGES:
            self.count(str(arguments[0]))

    def count(self, path: str) -> None:
        """One more change, if it is in one of the folders."""
        if not any(path.startswith(folder) for folder in self._folders):
            return
        self.seen += 1
        if self.seen == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Arguments: the ledger, the change to die before (0: none), the folders."""
    ledger = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    switch = Switch(sys.argv[3:], int(sys.argv[2]))
    sync, answered = os.fsync, client.Answered

    def counted_sync(descriptor: int) -> None:
        switch.count(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        sync(descriptor)

    def received(arrival: client.Arrival) -> client.Answered:
        os.write(ledger, f"{sha256(arrival.body).hexdigest()}\n".encode())
        switch.count(sys.argv[3])
        return answered(arrival)

    os.fsync = counted_sync
    client.Answered = received  # type: ignore[misc,assignment]
    sys.addaudithook(switch.audit)
    _say("ready")
    collect()
    _say(str(switch.seen))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
