"""Moves what cannot be used into a folder `quarantine`, with the reason beside it: nothing is deleted."""

from __future__ import annotations

import json
import logging
import os
import re
import stat
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from contracts.outside import shown
from contracts.plain_files import is_something_else

QUARANTINE, REASON = "quarantine", ".reason.json"
LONGEST_REASON, LONGEST_NAME = 1_000, 180
# What no backup takes, and what acts on a terminal.
UNSAFE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")

logger = logging.getLogger(__name__)


def put_away(path: Path, reason: str, folder: Path | None = None, *, root: Path | None = None) -> Path:
    """Moves something as it is, read or not: a file, a folder, a pipe, a link itself.

    Args:
        path: What is moved.
        reason: Why, in words.
        folder: Where to; `quarantine` beside it if not given.
        root: What the reason names both places from; it names them whole if not given.

    Returns: Where it is now.
    Raises: OSError if it cannot be moved.
    """
    folder = folder or path.parent / QUARANTINE
    _make_folder(folder)
    kept = _free(folder / safe_name(path.name))
    path.rename(kept)
    key, place = (str(one.relative_to(root) if root else one) for one in (path, kept))
    logger.error("set_aside key=%s kept=%s reason=%s", shown(key), place, shown(reason, LONGEST_REASON))
    kept.with_name(kept.name + REASON).write_bytes(reason_of(key, place, reason))
    return kept


def reason_of(key: str, kept: str, reason: str) -> bytes:
    """Returns what is written beside something that was put away."""
    fields = {"key": key, "kept": kept, "reason": shown(reason, LONGEST_REASON)}
    return json.dumps(fields | {"found_at": datetime.now(UTC).isoformat()}).encode()


def is_safe(name: str) -> bool:
    """Returns whether every backup takes a name."""
    return not UNSAFE.search(name)


def safe_name(name: str) -> str:
    """Returns a name that every backup takes, with room for what is put behind it: a disk takes 255 bytes."""
    safe = UNSAFE.sub(_escaped, name)
    encoded = safe.encode()
    if len(encoded) <= LONGEST_NAME:
        return safe
    return f"{encoded[:LONGEST_NAME].decode(errors='ignore')}~{sha256(os.fsencode(name)).hexdigest()[:12]}"


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape"))


def _make_folder(folder: Path) -> None:
    """Makes the folder; what lies in its place, or in that of one above, gets another name."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        for place in (*reversed(folder.parents), folder):
            if is_something_else(place, stat.S_ISDIR):
                place.rename(_free(place.with_name(f"{place.name}.aside")))
                break
        folder.mkdir(parents=True, exist_ok=True)


def _free(path: Path) -> Path:
    """Returns a path, or that with a number behind it, under which there is nothing."""
    found, number = path, 1
    while os.path.lexists(found):
        number += 1
        found = path.with_name(f"{path.name}.{number}")
    return found
