"""The same calls as with Linux 5.13: Landlock knows nothing of cutting files, ports and signals yet."""

from __future__ import annotations

from sandbox import landlock
from tests.sandbox.calls import change, end_itself, reach, thread

__all__ = ["change", "end_itself", "reach", "thread"]
landlock.version = lambda: 1  # the warm process' child imports this before it confines itself
