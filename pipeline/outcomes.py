"""How a step can end without a result, and without a fault: whoever calls it decides what that means."""

from __future__ import annotations


class Nothing(Exception):
    """There was nothing to do; what follows this step has nothing to do either."""


class Later(Exception):
    """The step is to be made again.

    Attributes:
        wait_s: After how many seconds.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"again in {wait_s:.0f} s")
        self.wait_s = wait_s
