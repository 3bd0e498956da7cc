"""How a confined call can fail. Each caller says it in its own words: only it knows what was read."""

from __future__ import annotations


class SandboxError(Exception):
    """A confined call gave no result."""


class Died(SandboxError):
    """The process ended before it had a result.

    Attributes:
        reason: `time`, `memory`, or what ended it, such as `signal 11`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the process that read it ended: {reason}")
        self.reason = reason


class Failed(SandboxError):
    """The function raised. What it says was written by the confined process: text from outside.

    Attributes:
        kind: The exception's class, by name.
        message: Its text.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
