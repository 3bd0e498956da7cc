"""The name of a landing, `20261122T120500000000Z-0123abcd…`: when it was fetched, and its hash.

What bronze writes once is named so: a moment in UTC to the microsecond, so that names sort by time.
dbt parses the same form in `models/bronze.yml` and `pending_landings.sql`.
"""

from __future__ import annotations

from datetime import UTC, datetime

MOMENT = "%Y%m%dT%H%M%S%fZ"
# The same as patterns, of a moment and of a whole name.
MOMENT_PATTERN = r"\d{8}T\d{12}Z"
LANDING_PATTERN = MOMENT_PATTERN + "-[0-9a-f]{64}"


def moment_text(at: datetime) -> str:
    """Returns a moment as the beginning of a name."""
    return at.astimezone(UTC).strftime(MOMENT)


def moment_in(name: str) -> datetime:
    """Returns the moment that a name begins with. Raises: ValueError."""
    return datetime.strptime(name.partition("-")[0], MOMENT).replace(tzinfo=UTC)


def short_name(name: str) -> str:
    """Returns a landing's name as far as a person needs it: its time, and the beginning of its hash."""
    try:
        return f"{moment_in(name):%Y-%m-%d %H:%M:%S} · {name.partition('-')[2][:8]}"
    except ValueError:
        return name


def name_in(key: str) -> str:
    """Returns the name in an object's key: what is between its folder and its kind."""
    return key.rpartition("/")[2].partition(".")[0]
