"""Objects of bronze that cannot be what their place says, set aside one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from contracts.errors import ObjectMissing, ObjectUnreadable
from contracts.put_away import is_safe
from lake.bronze.held import HELD
from lake.bronze.landings import RAW, REFUSED, ROWS, is_landing, row_file_fault
from lake.bronze.quarantine import note, set_aside
from lake.objects import Objects

STRAY = "it is no object of a landing: no collector writes such a name"
NO_FILE = "it is no file: a pipe, a device or a link to nothing"


def set_strays_aside(objects: Objects) -> None:
    """Moves what no collector has written out of the folders of landings; among raw responses it stays.

    What is no file at all goes first: whoever opens a pipe waits for ever. A hold counts by its name alone.

    Raises: StoreUnavailable.
    """
    for key in objects.no_objects("bronze"):
        if not key.startswith(f"{HELD}/"):
            objects.move_away(key, NO_FILE)
    for key in objects.keys(RAW):
        if not is_landing(key):
            (note if is_safe(key) else set_aside)(objects, key, STRAY)
    for folder in (ROWS, REFUSED, HELD):
        for key in objects.keys(folder):
            if not (is_landing(key) if folder != HELD else is_safe(key)):
                set_aside(objects, key, STRAY)


def set_unreadable_rows_aside(objects: Objects, keys: Iterable[str]) -> list[str]:
    """Moves row files that cannot be read; what they hold is made anew of their raw responses.

    Returns: the keys that are no longer there.
    Raises: StoreUnavailable.
    """
    return set_aside_if(objects, keys, lambda key: row_file_fault(objects, key))


def set_aside_if(objects: Objects, keys: Iterable[str], fault: Callable[[str], str | None]) -> list[str]:
    """Moves each object that has a fault. Returns: the keys that are no longer there."""
    gone = []
    for key in keys:
        try:
            found = fault(key)
        except ObjectMissing:
            gone.append(key)
            continue
        except ObjectUnreadable as error:
            found = str(error)
        if found:
            set_aside(objects, key, found)
            gone.append(key)
    return gone
