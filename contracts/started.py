"""Identifies the start of a container, so that a monitor detects a restart between two health checks."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

HEADER = "Canopy-Started"
# Only a page of health tells it.
HEALTH = frozenset({"/live", "/health", "/_stcore/health", "/api/v2/monitor/health"})
FIRST = Path("/proc/1/stat")


@cache
def started_as() -> str:
    """Returns a digest of when the first process here was started; empty where the system does not tell.

    Every worker of a part tells the same. Without containers the first process is the machine's.
    """
    try:
        # Field 22, after a name that may have spaces and brackets in it.
        ticks = FIRST.read_text().rpartition(")")[2].split()[19]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    except (OSError, IndexError, UnicodeDecodeError):
        return ""
    return sha256(f"{boot}{ticks}".encode()).hexdigest()[:16]
