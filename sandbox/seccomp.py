"""seccomp: system calls that a confined process may not make, as a filter that the kernel runs.

Landlock knows files and the ports of TCP; this takes the rest: sockets of any other kind, starting programs,
changing a file's rights, owner and times, looking into other processes, leaving memory or queues in the
kernel, and what Landlock's older versions do not know yet: cutting a file short, signals. Known for x86-64
and 64-bit ARM.

Source: https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
from collections.abc import Iterator, Sequence

SET_SECCOMP, FILTER_MODE = 22, 2
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000  # the same calls by other numbers
THREAD = 0x00010000  # clone's flag of a thread
# Where the kernel's record of a call has its number, its architecture and its arguments.
NUMBER, ARCHITECTURE, FIRST, SECOND, THIRD, FOURTH = 0, 4, 16, 24, 32, 40
LOAD, EQUAL, AT_LEAST, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06

# Name: number on x86-64, on ARM; None where there is no such call.
Calls = dict[str, tuple[int | None, int | None]]
CALLS: Calls = {
    # Other processes: looking into them, ending them.
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
    **{"kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138)},
    **{"rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438)},
    **{"kcmp": (312, 272), "process_madvise": (440, 440), "process_mrelease": (448, 448)},
    **{"move_pages": (279, 239), "migrate_pages": (256, 238)},
    # What stays when its maker has ended, and others' of the same account; memory that no limit counts.
    **{"shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190)},
    **{"semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186)},
    **{"msgsnd": (69, 189), "memfd_create": (319, 279), "memfd_secret": (447, 447)},
    **{"msgrcv": (70, 188), "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181)},
    # Whose turn it is.
    **{"setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setaffinity": (203, 122)},
    **{"sched_setattr": (314, 274), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119)},
    # A file's length, rights, owner, times and attributes.
    **{"truncate": (76, 45), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53)},
    **{"fchmodat2": (452, 452), "chown": (92, None), "fchown": (93, 55), "lchown": (94, None)},
    **{"fchownat": (260, 54), "utime": (132, None), "utimes": (235, None), "futimesat": (261, None)},
    **{"utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7)},
    **{"removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16)},
    **{"setxattrat": (463, 463), "removexattrat": (466, 466), "file_setattr": (469, 469)},
    # What happens in a folder that it may not list: names of files come with it.
    **{"inotify_add_watch": (254, 27), "fanotify_mark": (301, 263)},
    # What is mounted, and which world a process is in.
    **{"mount": (165, 40), "umount2": (166, 39), "move_mount": (429, 429), "open_tree": (428, 428)},
    **{"open_tree_attr": (467, 467), "mount_setattr": (442, 442), "fsopen": (430, 430)},
    **{"fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "pivot_root": (155, 41)},
    **{"chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268), "open_by_handle_at": (304, 265)},
    # Doors into the kernel.
    **{"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282)},
    **{"io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427)},
    **{"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219)},
    # The machine itself.
    **{"init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104), "reboot": (169, 142)},
    **{"swapon": (167, 224), "swapoff": (168, 225), "settimeofday": (164, 170), "clock_settime": (227, 112)},
    **{"sethostname": (170, 161), "setdomainname": (171, 162), "acct": (163, 89), "quotactl": (179, 60)},
    **{"quotactl_fd": (443, 443), "adjtimex": (159, 171), "clock_adjtime": (305, 266)},
    **{"kexec_file_load": (320, 294), "delete_module": (176, 106), "syslog": (103, 116)},
    **{"vhangup": (153, 58), "sync": (162, 81), "syncfs": (306, 267)},
}
EXECUTING: Calls = {"execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None)}
# Landlock does not look at who may connect to a socket that listens where no port was asked for.
SERVING: Calls = {"bind": (49, 200), "listen": (50, 201)}
SOCKET, SOCKETPAIR, CLONE, CLONE3 = (41, 198), (53, 199), (56, 220), (435, 435)
OPEN, OPENAT, OPENAT2 = (2, None), (257, 56), (437, 437)
TGKILL, PRLIMIT, FCNTL, IOCTL = (234, 131), (302, 261), (72, 25), (16, 29)
# The argument that has the flags of what is sent.
SENDING = {(44, 206): FOURTH, (46, 211): THIRD, (307, 269): FOURTH}
FAST_OPEN = 0x20000000  # connects without asking Landlock
TYPE_OF_SOCKET = 0xF  # without the bits that say how its number is kept
# Who is told by a signal of what happens at a file: anybody. Who opens it waits for the end of a lease.
OWNERS = (8, 15, 1024, 1026)  # F_SETOWN, F_SETOWN_EX, F_SETLEASE, F_NOTIFY
# The same as ioctl; a file's flags, version and project, which its owner may set with a right to read; input
# for a terminal.
FIOSETOWN, SIOCSPGRP, TIOCSTI = 0x8901, 0x8902, 0x5412
SETFLAGS, SETVERSION, FSSETXATTR = 0x40086602, 0x40087602, 0x401C5820

_libc = ctypes.CDLL(None, use_errno=True)

Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def is_known() -> bool:
    """Returns whether the calls of this machine are known here."""
    return platform.system() == "Linux" and platform.machine() in AUDIT_ARCHITECTURE


def restrict(*, has_network: bool, may_execute: bool, resolves_names: bool = False) -> bool:
    """Takes the calls from this process, for good. It must have given up new privileges before.

    Args:
        has_network: Whether TCP sockets may be made; others are refused all the same.
        may_execute: Whether programs may be started.
        resolves_names: Whether UDP sockets may be made as well.

    Returns: Whether it holds: not on another architecture, nor where the kernel has no seccomp.
    """
    if not is_known():
        return False
    filtered = _filter(has_network, may_execute, resolves_names)
    code = b"".join(struct.pack("HBBI", *item) for item in filtered)
    held = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(held, ctypes.c_void_p))
    return not _libc.prctl(SET_SECCOMP, FILTER_MODE, ctypes.byref(program), 0, 0)


def _filter(has_network: bool, may_execute: bool, resolves_names: bool) -> list[Instruction]:
    column = 0 if platform.machine() == "x86_64" else 1
    calls = CALLS | SERVING if may_execute else CALLS | SERVING | EXECUTING
    code: list[Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, AUDIT_ARCHITECTURE[platform.machine()]),
        _refuse(errno.EPERM),
        (LOAD, 0, 0, NUMBER),
    ]
    if column == 0:
        code += [(AT_LEAST, 0, 1, X32), _refuse(errno.EPERM)]
    for numbers in calls.values():
        code += _at(numbers[column], [_refuse(errno.EPERM)])
    code += _at(SOCKET[column], _sockets(resolves_names) if has_network else [_refuse(errno.EPERM)])
    # One of a pair of datagrams sends to any socket of this machine that has a path.
    code += _at(SOCKETPAIR[column], [*_one_of(SECOND, socket.SOCK_STREAM, mask=TYPE_OF_SOCKET), _allow()])
    for numbers, flags in SENDING.items():
        code += _at(numbers[column], [*_without(flags, FAST_OPEN), _allow()])
    code += _files(column)
    code += _others(column, may_execute)
    return [*code, _allow()]


def _files(column: int) -> Iterator[Instruction]:
    """Refuses writing: opening a file to read may not cut it short: of opening to write each version of
    Landlock knows."""
    for call, flags in ((OPEN, SECOND), (OPENAT, THIRD)):
        yield from _at(call[column], _cutting(flags))
    yield from _at(OPENAT2[column], [_refuse(errno.ENOSYS)])  # its flags lie in memory
    yield from _at(FCNTL[column], [*_none_of(SECOND, *OWNERS), _allow()])
    acting = (FIOSETOWN, SIOCSPGRP, TIOCSTI, SETFLAGS, SETVERSION, FSSETXATTR)
    yield from _at(IOCTL[column], [*_none_of(SECOND, *acting), _allow()])


def _others(column: int, may_execute: bool) -> Iterator[Instruction]:
    """Allows signals and limits for itself alone; new threads, and no new process."""
    if may_execute:  # each program that it starts is a process with a number of its own
        yield from _at(PRLIMIT[column], [*_one_of(FIRST, 0), _allow()])
        return
    yield from _at(TGKILL[column], [*_one_of(FIRST, os.getpid()), _allow()])
    yield from _at(PRLIMIT[column], [*_one_of(FIRST, 0, os.getpid()), _allow()])
    # Its flags lie in memory, where a filter cannot look; glibc takes the older call then.
    yield from _at(CLONE3[column], [_refuse(errno.ENOSYS)])
    thread = [(LOAD, 0, 0, FIRST), (ANY_BIT, 1, 0, THREAD), _refuse(errno.EPERM), _allow()]
    yield from _at(CLONE[column], thread)


def _sockets(resolves_names: bool) -> list[Instruction]:
    """Refuses sockets but TCP, and UDP for names. Landlock knows no port of what is like TCP, such as TCP
    over several paths."""
    kinds = [socket.SOCK_STREAM, *([socket.SOCK_DGRAM] if resolves_names else [])]
    protocols = [0, socket.IPPROTO_TCP, *([socket.IPPROTO_UDP] if resolves_names else [])]
    return [
        *_one_of(FIRST, socket.AF_INET, socket.AF_INET6),
        *_one_of(SECOND, *kinds, mask=TYPE_OF_SOCKET),
        *_one_of(THIRD, *protocols),
        _allow(),
    ]


def _cutting(flags: int) -> list[Instruction]:
    """Refuses to cut what is not opened to write: to read, or by the fourth mode, which is for neither."""
    return [
        (LOAD, 0, 0, flags),
        (ANY_BIT, 0, 4, os.O_TRUNC),
        (AND, 0, 0, os.O_ACCMODE),
        (EQUAL, 2, 0, os.O_WRONLY),
        (EQUAL, 1, 0, os.O_RDWR),
        _refuse(errno.EPERM),
        _allow(),
    ]


def _at(number: int | None, then: Sequence[Instruction]) -> Iterator[Instruction]:
    """Yields what a call by this number comes to; it ends in an answer, and other calls pass it over."""
    if number is not None:
        yield from ((EQUAL, 0, len(then), number), *then)


def _one_of(argument: int, *values: int, mask: int | None = None) -> Iterator[Instruction]:
    """Refuses an argument that is none of these."""
    yield (LOAD, 0, 0, argument)
    if mask is not None:
        yield (AND, 0, 0, mask)
    for place, value in enumerate(values):
        yield (EQUAL, len(values) - place, 0, int(value))
    yield _refuse(errno.EPERM)


def _none_of(argument: int, *values: int) -> Iterator[Instruction]:
    """Refuses an argument that is one of these."""
    yield (LOAD, 0, 0, argument)
    for value in values:
        yield from ((EQUAL, 0, 1, value), _refuse(errno.EPERM))


def _without(argument: int, bits: int) -> Iterator[Instruction]:
    """Refuses an argument that has one of these bits."""
    yield from ((LOAD, 0, 0, argument), (ANY_BIT, 0, 1, bits), _refuse(errno.EPERM))


def _allow() -> Instruction:
    return (RETURN, 0, 0, ALLOW)


def _refuse(number: int) -> Instruction:
    return (RETURN, 0, 0, REFUSE | number)
