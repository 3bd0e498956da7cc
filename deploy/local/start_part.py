"""Launches a service for supervisord: ends the orphans of its last start, then executes it.

`python -m deploy.local.start_part NAMES FILES command…`: `NAMES` are the settings that the part may see and
`FILES` the files of secrets that it needs, each a list in JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

import psutil

from deploy.sees import MARK, NAME, seen
from pipeline.role import secrets_of
from sandbox.confine import end_with_parent

LOOKS = 10


def main() -> None:
    """Never returns: the part takes this process's place."""
    names, files, *command = sys.argv[1:]
    end_with_parent(signal.SIGTERM)
    end_left_over(os.environ[MARK], os.environ[NAME])
    environment = seen(dict(os.environ), json.loads(names)) | secrets_of(*json.loads(files))
    # Airflow would write its title over what the kernel shows of its environment, by which parts are known.
    environment["SPT_NOENV"] = "1"
    os.execvpe(command[0], command, environment)  # noqa: S606


def end_left_over(home: str, name: str) -> None:
    """Ends the children of a part that was killed: they hold its port, and its next start would fail."""
    mine = {os.getpid(), os.getppid()}
    end_processes(lambda: [process for process in processes_of(home, name) if process.pid not in mine])


def end_processes(listed: Callable[[], list[psutil.Process]]) -> None:
    """Ends processes, and those that they have started meanwhile: it looks until there are none.

    Args:
        listed: Finds them.
    """
    number = signal.SIGTERM
    for _ in range(LOOKS):
        left = listed()
        if not left:
            return
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        psutil.wait_procs(left, timeout=5)
        number = signal.SIGKILL


def processes_of(home: str, name: str | None = None) -> list[psutil.Process]:
    """Returns every process that was started for a home folder, or for one part of it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment = process.environ()
            if environment.get(MARK) == home and name in (None, environment.get(NAME)):
                found.append(process)
    return found


if __name__ == "__main__":
    main()
