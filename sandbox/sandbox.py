"""Calls a function in a confined process: bytes in, bytes out."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sandbox import warm
from sandbox.errors import Died, Failed
from sandbox.limits import Limits

START_WITHIN_S = 60.0
GRACE_S = 2.0  # after the child's own alarm
FAILURE_BYTES = 100_000
# Nothing of a person's, and no secret: a confined process sees only what it is given.
KEPT = ("PATH", "LANG", "LC_ALL", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
START = "import sys; sys.path[:] = {path!r}; from sandbox.warm import main; main({control}, {modules!r})"


class Sandbox:
    """A warm process for calls of one kind. It is started with the first call, and again when it has died.

    Threads may share it: each call has a process of its own.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        """Names what the warm process imports once; what is called should be among it."""
        self._modules = tuple(modules)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def call(self, function: str, argument: bytes, limits: Limits, files: Sequence[int] = ()) -> bytes:
        """Runs a function in a process of its own, and returns what it returns.

        Args:
            function: `package.module:name`; it is called with the argument and the numbers of the files.
            argument: What it gets.
            limits: What it may use.
            files: Open files that it gets, under numbers of its own. What it may do with them is how they
                were opened.

        Returns: Bytes that were written by the confined process: as trustworthy as what it had read.
        Raises: Died; Failed.
        """
        mine, theirs = socket.socketpair()
        told, telling = socket.socketpair()
        with mine, told:
            with theirs, telling:
                self._fork([theirs.fileno(), telling.fileno(), *files])
            deadline = time.monotonic() + limits.wall_s + GRACE_S
            child = _child(told)
            try:
                request = _request(function, argument, limits, self._modules)
                return _ask(mine, told, child, request, limits, deadline)
            finally:
                _kill(child)
                os.close(child)

    def start(self) -> None:
        """Starts the warm process ahead of the first call."""
        with self._lock:
            self._started()

    def close(self) -> None:
        """Ends the warm process, and the calls under way."""
        with self._lock:
            self._stop()

    def _fork(self, files: Sequence[int]) -> None:
        with self._lock:
            try:
                socket.send_fds(self._started(), [warm.CALL], files)
            except OSError:  # it died since the last call
                self._stop()
                socket.send_fds(self._started(), [warm.CALL], files)

    def _started(self) -> socket.socket:
        if self._control is not None and self._process is not None and self._process.poll() is None:
            return self._control
        self._stop()
        mine, theirs = socket.socketpair()
        with theirs:
            # What is imported stays the same wherever a call goes to.
            places = [str(Path(place).absolute()) for place in sys.path]
            code = START.format(path=places, control=theirs.fileno(), modules=self._modules)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", code],
                env={name: os.environ[name] for name in KEPT if name in os.environ} | {"TZ": "UTC"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        mine.settimeout(START_WITHIN_S)
        with contextlib.suppress(OSError):
            if mine.recv(1) == warm.READY:
                mine.settimeout(None)
                self._control = mine
                return mine
        mine.close()
        self._stop()
        raise Died("it could not be started")

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _child(told: socket.socket) -> int:
    """Returns the child, by a number that stays its own."""
    told.settimeout(START_WITHIN_S)
    try:
        word, files, _, _ = socket.recv_fds(told, 1, 1)
    except OSError:
        word, files = b"", []
    if not word or not files:
        raise Died("it could not be started")
    return files[0]


def _request(function: str, argument: bytes, limits: Limits, modules: Sequence[str]) -> bytes:
    request = {
        "function": function,
        "limits": limits.as_json(),
        "packages": sorted({str(path) for path in _packages([*modules, function, "sandbox"])}),
        "length": len(argument),
    }
    head = json.dumps(request).encode()
    return warm.LENGTH.pack(len(head)) + head + argument


def _packages(names: Sequence[str]) -> Iterator[Path]:
    """Yields the folders of these packages alone: the folder above them may be a person's."""
    for name in names:
        found = __import__(name.partition(":")[0].partition(".")[0]).__file__
        if found:
            file = Path(found)
            yield file.parent if file.name == "__init__.py" else file


def _ask(
    mine: socket.socket, told: socket.socket, child: int, request: bytes, limits: Limits, deadline: float
) -> bytes:
    try:
        _set_deadline(mine, deadline)
        mine.sendall(request)
        kind, length = warm.HEAD.unpack(_receive(mine, warm.HEAD.size, deadline))
        bound = limits.output_bytes if kind == warm.RESULT else FAILURE_BYTES
        if length > bound:
            raise Died("it said more than it may")
        answer = _receive(mine, length, deadline)
    except TimeoutError:
        raise Died("time") from None
    except (OSError, EOFError):
        raise Died(_how(told, child)) from None
    if kind == warm.RESULT:
        return answer
    raise _failure(answer)


def _failure(answer: bytes) -> Exception:
    try:
        failure = json.loads(answer)
        kind, message = str(failure["kind"]), str(failure["message"])
    except (ValueError, TypeError, KeyError):
        return Died("what it said cannot be read")
    return Died("memory") if kind in ("MemoryError", "ArrowMemoryError") else Failed(kind, message)


def _set_deadline(mine: socket.socket, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    mine.settimeout(left)


def _receive(mine: socket.socket, length: int, deadline: float) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        _set_deadline(mine, deadline)
        part = mine.recv(min(length - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _how(told: socket.socket, child: int) -> str:
    """Returns what ended a child that gave no result."""
    _kill_late(child)
    told.settimeout(GRACE_S)
    try:
        (status,) = warm.STATUS.unpack(warm.receive(told, warm.STATUS.size))
    except (OSError, EOFError):
        return "it was ended with the process that had started it"
    if status in (-signal.SIGALRM, -signal.SIGXCPU):
        return "time"
    if status == -signal.SIGABRT:
        return "memory"  # C++ has no other answer where there is none
    return f"signal {-status}" if status < 0 else f"status {status}"


def _kill_late(child: int) -> None:
    """Waits for the end of a child that has closed its channel, and brings it about after a while."""
    ended, _, _ = select.select([child], [], [], GRACE_S)
    if not ended:
        _kill(child)


def _kill(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(child, signal.SIGKILL)
