"""The same calls where the kernel has no Landlock: what seccomp takes alone."""

from __future__ import annotations

from sandbox import landlock
from tests.sandbox.calls import end_itself, look_up, reach, thread

__all__ = ["end_itself", "look_up", "reach", "thread"]
landlock.version = lambda: 0  # the warm process' child imports this before it confines itself
