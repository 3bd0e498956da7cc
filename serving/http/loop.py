"""The event loop that runs."""

from __future__ import annotations

import asyncio


def running_loop(known: asyncio.AbstractEventLoop | None) -> asyncio.AbstractEventLoop:
    """The same as before, if it still runs: to look it up, Python 3.11 asks the system for the process id."""
    return known if known is not None and known.is_running() else asyncio.get_running_loop()
