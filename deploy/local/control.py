"""The socket by which a home folder's supervisord is spoken to, believed only where it is our own."""

from __future__ import annotations

import http.client
import os
import socket
import stat
import struct
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contracts.errors import StackError

PATH_BYTES = 107  # what the kernel takes of a socket's path
ANSWER_S = 60.0  # stopping every part takes up to two times STOP_WAIT_S


@contextmanager
def control(file: Path) -> Iterator[Any]:
    """Opens supervisord's own interface.

    Args:
        file: Its socket; it may lie deeper than a socket's path can say.

    Raises: OSError if nothing answers there; StackError if it is somebody else's.
    """
    connection = _Connection(file)
    try:
        server = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=_Transport(connection))
        yield server.supervisor
    finally:
        connection.close()


class _Transport(xmlrpc.client.Transport):
    def __init__(self, connection: http.client.HTTPConnection) -> None:
        super().__init__()
        self._made = connection

    def make_connection(self, _host: Any) -> http.client.HTTPConnection:
        """Returns the one connection, whatever the address says."""
        return self._made


class _Connection(http.client.HTTPConnection):
    """HTTP over the socket, to the user that this process is of."""

    def __init__(self, file: Path) -> None:
        super().__init__("127.0.0.1")
        self._file = file

    def connect(self) -> None:
        """Raises: OSError; StackError if the socket or who listens on it is another user's."""
        _require_own(self._file, self._file.lstat())
        folder = os.open(self._file.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock = _connected(self._file, folder)
        finally:
            os.close(folder)
        user = _peer(self.sock)
        if user != os.geteuid():
            self.close()
            raise _foreign(self._file, user)


def _connected(file: Path, folder: int) -> socket.socket:
    path = os.fsencode(file)
    if len(path) > PATH_BYTES:
        path = os.fsencode(f"/proc/self/fd/{folder}/{file.name}")
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        opened.settimeout(ANSWER_S)
        opened.connect(path)
    except OSError:
        opened.close()
        raise
    return opened


def _peer(opened: socket.socket) -> int:
    """Returns the user of the process that listens."""
    size = struct.calcsize("3i")
    _pid, user, _group = struct.unpack("3i", opened.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(user)


def _require_own(file: Path, found: os.stat_result) -> None:
    if not stat.S_ISSOCK(found.st_mode):
        raise StackError(f"{file} is no socket. Remove it, then `canopy up`.")
    if found.st_uid != os.geteuid():
        raise _foreign(file, found.st_uid)


def _foreign(file: Path, user: int) -> StackError:
    return StackError(
        f"{file} is a socket of user {user}, not of user {os.geteuid()}: what it says is not believed. "
        "Ask as the user that started the stack, or remove it."
    )
