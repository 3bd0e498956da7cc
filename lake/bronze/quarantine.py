"""Objects that nothing can be made of, set aside with the reason: each costs itself alone.

The bytes go below `quarantine/`, under the key they had and the beginning of their sha256, and beside them an
object that ends in `.reason.json`. Nothing is lost: what was set aside can be looked at, and put back.
"""

from __future__ import annotations

import logging
from hashlib import sha256

from contracts.errors import LandingConflict, ObjectMissing, ObjectUnreadable, StoreUnavailable
from contracts.outside import shown
from contracts.put_away import LONGEST_REASON, QUARANTINE, REASON, reason_of, safe_name
from lake.objects import Objects

logger = logging.getLogger(__name__)


def set_aside(objects: Objects, key: str, reason: str) -> bool:
    """Moves an object out of the way: copied first, then removed; a link, and what cannot be read, as it is.

    Where this account may not remove it, it stays as well; whoever reads there leaves out what is unreadable.

    Returns: whether this is news, for an alert that is sent once.
    Raises: StoreUnavailable, with the object where it was.
    """
    if objects.is_link(key) and objects.move_away(key, reason):
        return True
    try:
        data = objects.read(key)
    except ObjectMissing:
        return False  # another process was faster
    except ObjectUnreadable as error:
        return objects.move_away(key, f"{reason}; {error}") or note(objects, key, f"{reason}; {error}")
    is_news = keep_aside(objects, key, data, reason)
    try:
        objects.remove(key)
    except StoreUnavailable as error:
        if is_news:  # it is found again at every turn
            logger.warning("set_aside_stays key=%s reason=%s", shown(key), error)
    return is_news


def keep_aside(objects: Objects, key: str, data: bytes, reason: str) -> bool:
    """Keeps bytes below `quarantine/`, for what is no object of the store. Returns: whether this is news."""
    kept = kept_key(key, data)
    objects.put_new(kept, data)
    return _write(objects, key, kept, f"{kept}{REASON}", reason)


def kept_key(key: str, data: bytes) -> str:
    """Returns where these bytes are kept when they are set aside."""
    return f"{QUARANTINE}/{_safe(key)}~{sha256(data).hexdigest()[:12]}"


def note(objects: Objects, key: str, reason: str) -> bool:
    """Writes down what is odd about something that stays where it is. Returns: whether this is news."""
    return _write(objects, key, "", f"{QUARANTINE}/{_safe(key)}{REASON}", reason)


def count_aside(objects: Objects) -> int:
    """Returns how many things were set aside or noted."""
    return sum(key.endswith(REASON) for key in objects.keys(QUARANTINE))


def _write(objects: Objects, key: str, kept: str, reason_key: str, reason: str) -> bool:
    if objects.exists(reason_key):
        return False
    try:
        objects.put_new(reason_key, reason_of(key, kept, reason))
    except LandingConflict:
        return False  # another process was faster, by a moment
    logger.error("set_aside key=%s kept=%s reason=%s", shown(key), kept, shown(reason, LONGEST_REASON))
    return True


def _safe(key: str) -> str:
    return "/".join(map(safe_name, key.split("/")))
