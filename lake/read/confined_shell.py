"""DuckDB's shell, started where it can write nothing but the history of what was typed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from sandbox.confine import confine
from sandbox.limits import Limits

TERMINAL = ("/dev/tty", "/dev/pts")
FOREVER_S = 365 * 24 * 3600
PLENTY_BYTES = 1 << 46  # DuckDB's own memory_limit bounds the shell


def main(told: str) -> None:
    """Confines this process and becomes the shell.

    Args:
        told: JSON with the `program`, its `arguments`, the `history` file, the `ports` it may connect to,
            and whether it `resolves_names`.
    """
    given = json.loads(told)
    limits = Limits(
        memory_bytes=PLENTY_BYTES,
        cpu_s=FOREVER_S,
        wall_s=FOREVER_S,
        output_bytes=PLENTY_BYTES,
        readable=(Path("/"),),
        writable=(Path(given["history"]), *map(Path, TERMINAL)),
        ports=tuple(given["ports"]),
        resolves_names=given["resolves_names"],
        may_execute=True,
    )
    confine(limits)
    os.execv(given["program"], [given["program"], *given["arguments"]])  # noqa: S606 - the shell is no sh
