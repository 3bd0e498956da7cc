"""Landlock: Linux takes from a process, for good, what it need not reach: files, ports, other processes.

The one package on PyPI knows files alone and is an alpha; this is the same three system calls with ports and
scopes.

Source: https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
VERSION_FLAG = 1
PATH_BENEATH, NET_PORT = 1, 2
NO_NEW_PRIVILEGES = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
TRUNCATE, IOCTL_DEVICE = 1 << 14, 1 << 15
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1
ABSTRACT_SOCKETS, SIGNALS = 1 << 0, 1 << 1
# Rights that came with each version: removing and making (1), REFER (2), TRUNCATE (3), IOCTL_DEVICE (5).
TRUNCATE_VERSION, NET_VERSION, SCOPE_VERSION = 3, 4, 6
FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, TRUNCATE_VERSION: TRUNCATE, 5: IOCTL_DEVICE}

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


class _NetPort(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def version() -> int:
    """Returns which Landlock this kernel has; 0 where it has none, or a container does not let it through."""
    found = int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG))
    return max(found, 0)


def restrict(readable: Iterable[Path], writable: Iterable[Path], ports: Iterable[int]) -> None:
    """Leaves this process, and what it starts, these files and ports. A file that is open stays open.

    Args:
        readable: Files and folders; what is not there is passed over.
        writable: The same, to write to.
        ports: TCP ports to connect to.

    Raises: OSError if the kernel refuses; nothing is restricted where it has no Landlock.
    """
    has = version()
    if not has:
        return
    files = sum(rights for since, rights in FILE_RIGHTS.items() if since <= has)
    attributes = _Ruleset(
        files,
        BIND_TCP | CONNECT_TCP if has >= NET_VERSION else 0,
        ABSTRACT_SOCKETS | SIGNALS if has >= SCOPE_VERSION else 0,
    )
    # An older kernel takes a longer structure as long as what it does not know is zero.
    ruleset = _called(CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(ctypes.sizeof(attributes)), 0)
    try:
        for path in readable:
            _allow(ruleset, path, files & (EXECUTE | READ_FILE | READ_DIR))
        for path in writable:
            _allow(ruleset, path, files)
        if has >= NET_VERSION:
            for port in ports:
                rule = _NetPort(CONNECT_TCP, port)
                _called(ADD_RULE, ruleset, NET_PORT, ctypes.byref(rule), 0)
        forbid_new_privileges()
        _called(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def forbid_new_privileges() -> None:
    """Gives up every way to more rights, such as a setuid program. Raises: OSError."""
    if _libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(folder).st_mode):
            rights &= OF_A_FILE
        rule = _PathBeneath(rights, folder)
        _called(ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(folder)


def _called(*arguments: object) -> int:
    result = int(_libc.syscall(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
