"""The warm process: has imported what its calls need, and forks a confined child for each of them.

It reads nothing from outside and answers nothing itself. It ends when whoever started it does.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sandbox.confine import confine, end_with_parent
from sandbox.limits import Limits

MOST_FILES = 16
# What stands in front of a request, a result and an exit status.
LENGTH = struct.Struct("<Q")
HEAD = struct.Struct("<cQ")
STATUS = struct.Struct("<i")
RESULT, FAILURE = b"r", b"f"
CALL, READY = b"c", b"+"


def main(control: int, modules: Sequence[str]) -> None:
    """Serves one socket until it is closed.

    Args:
        control: The socket's number.
        modules: What is imported once.
    """
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a child touches none of it, and so shares it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this
    with socket.socket(fileno=control) as served, selectors.DefaultSelector() as waiting:
        waiting.register(served, selectors.EVENT_READ)
        served.sendall(READY)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is not served:
                    _end(waiting, key.fd, *key.data)
                elif not _begin(waiting, served):
                    return


def _begin(waiting: selectors.BaseSelector, served: socket.socket) -> bool:
    word, files, _, _ = socket.recv_fds(served, 1, MOST_FILES)
    if not word:
        return False
    channel, status, *given = files
    child = os.fork()
    if not child:
        served.close()
        waiting.close()
        os.close(status)
        _run(channel, given)  # does not come back
    for file in (channel, *given):
        os.close(file)
    alive = os.pidfd_open(child)
    told = socket.socket(fileno=status)
    _send(told, alive)
    waiting.register(alive, selectors.EVENT_READ, (child, told))
    return True


def _send(told: socket.socket, alive: int) -> None:
    try:
        socket.send_fds(told, [READY], [alive])
    except OSError:  # whoever asked is gone
        signal.pidfd_send_signal(alive, signal.SIGKILL)


def _end(waiting: selectors.BaseSelector, alive: int, child: int, told: socket.socket) -> None:
    _, status = os.waitpid(child, 0)
    waiting.unregister(alive)
    os.close(alive)
    with contextlib.suppress(OSError):  # whoever asked is gone
        told.sendall(STATUS.pack(os.waitstatus_to_exitcode(status)))
    told.close()


def _run(channel: int, files: Sequence[int]) -> None:
    end_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Not closed by Python's own ending: nothing runs after the answer, no handler and no finalizer.
    try:
        with socket.socket(fileno=channel) as asked:
            kind, answer = _answer(_read_request(asked), files)
            asked.sendall(HEAD.pack(kind, len(answer)) + answer)
        os._exit(0)
    except BaseException:
        os._exit(1)


def _read_request(asked: socket.socket) -> dict[str, Any]:
    (length,) = LENGTH.unpack(receive(asked, LENGTH.size))
    request: dict[str, Any] = json.loads(receive(asked, length))
    request["argument"] = receive(asked, request["length"])
    return request


def _answer(request: dict[str, Any], files: Sequence[int]) -> tuple[bytes, bytes]:
    limits = Limits.from_json(request["limits"])
    module, _, name = request["function"].partition(":")
    function = getattr(importlib.import_module(module), name)
    confine(limits, tuple(Path(folder) for folder in request["packages"]))
    try:
        result: bytes = function(request["argument"], *files)
    except BaseException as error:
        told = json.dumps({"kind": type(error).__name__, "message": str(error)[:10_000]})
        return FAILURE, told.encode()
    if len(result) > limits.output_bytes:
        told = json.dumps({"kind": "OutputTooLarge", "message": f"{len(result)} bytes"})
        return FAILURE, told.encode()
    return RESULT, result


def receive(asked: socket.socket, length: int) -> bytes:
    """Returns so many bytes. Raises: EOFError if it ends before."""
    parts = bytearray()
    while len(parts) < length:
        part = asked.recv(min(length - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
