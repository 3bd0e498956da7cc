"""Each group's clock and counter in the simulator, kept in the service's own JSON file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from contracts.errors import SettingsInvalid
from contracts.outside import shown
from contracts.plain_files import read_plain

NEVER = (0.0, -1)
# In every version, whichever numbers it lets in.
GROUPS = 10


class Counters:
    """What the service knows about each group: when its batch began, and which one it is.

    As in the service, a change is in memory at once and in the file with the next success, and there
    are ten groups in every version: asking for an eleventh is a KeyError. The file is read at the start
    only: of several workers each counts for itself, and the last to write wins.
    """

    def __init__(self, file: Path) -> None:
        """Raises: SettingsInvalid if the file is no state, or cannot be one."""
        self._file = file
        self._groups = {group: list(NEVER) for group in range(1, GROUPS + 1)}
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(file):
                self._groups |= _read(file)
        except OSError as error:
            remedy = f"It cannot be used ({error.strerror}: {error.filename}); name another file."
            raise SettingsInvalid("SIMULATOR_STATE", str(file), remedy) from error

    def batch(self, group: int) -> int:
        """Returns the batch that the group is at; −1 before its first request."""
        return int(self._groups[group][1])

    def advance(self, group: int, now: float, window_s: float) -> None:
        """Goes to the next batch if the window is strictly over; the first one is number 1, in any window."""
        last, batch = self._groups[group]
        if batch == NEVER[1] or now - last > window_s:
            self._groups[group] = [now, batch + 2 if batch == NEVER[1] else batch + 1]

    def reset(self, group: int) -> None:
        """Forgets the group's clock and counter."""
        if group not in self._groups:
            raise KeyError(group)
        self._groups[group] = list(NEVER)

    def save(self) -> None:
        """Rewrites the file; in one step, so that ending the simulator never leaves half of it."""
        unfinished = self._file.with_name(f".{self._file.name}.{os.getpid()}.part")
        unfinished.write_text(json.dumps({str(group): state for group, state in self._groups.items()}))
        unfinished.replace(self._file)


def _read(file: Path) -> dict[int, list[float]]:
    try:
        return {
            int(group): [float(began), int(batch)]
            for group, (began, batch) in json.loads(read_plain(file)).items()
        }
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise SettingsInvalid(
            "SIMULATOR_STATE",
            str(file),
            f"It is not a state of the simulator ({shown(error)}); move the file away.",
        ) from error
