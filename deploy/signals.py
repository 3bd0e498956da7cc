"""Signals that end a command: none of them leaves a part running."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

# Ctrl-C; a service manager or `kill`; a terminal that is gone.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Lets each of them end what is under way as Ctrl-C does, also where a shell had Ctrl-C ignored."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # `nohup` has a lost terminal ignored, and means it.
    meant = [one for one in ENDING if one != signal.SIGHUP or signal.getsignal(one) != signal.SIG_IGN]
    with _handled(interrupt, meant):
        yield


@contextmanager
def to_its_end() -> Iterator[None]:
    """Lets none of them break off what is under way."""
    with _handled(signal.SIG_IGN, ENDING):
        yield


@contextmanager
def _handled(
    handler: Callable[[int, FrameType | None], None] | signal.Handlers, numbers: Sequence[signal.Signals]
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # which alone is interrupted
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
