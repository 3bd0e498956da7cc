"""What the tests have a confined process try."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import platform
import resource
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

# By their numbers on this machine: the library has no function for them.
TGKILL, QUEUE, THREAD_QUEUE = (234, 129, 297) if platform.machine() == "x86_64" else (131, 138, 240)
VALUE = struct.pack("iii", 0, 0, -1) + bytes(116)  # a signal's siginfo, as of a process that queues it
HOW_TO_CUT = struct.pack("QQQ", os.O_TRUNC, 0, 0)


def echo(argument: bytes, *_files: int) -> bytes:
    return argument


def read(argument: bytes) -> bytes:
    return Path(argument.decode()).read_bytes()


def write(argument: bytes) -> bytes:
    Path(argument.decode()).write_bytes(b"written")
    return b""


def change(argument: bytes) -> bytes:
    """Every other way to change a file, and what came of each."""
    path = argument.decode()
    ways = {
        "append": lambda: os.open(path, os.O_WRONLY | os.O_APPEND),
        "truncate": lambda: os.truncate(path, 0),
        "open to read, and cut": lambda: os.open(path, os.O_RDONLY | os.O_TRUNC),
        "open for neither, and cut": lambda: os.open(path, os.O_ACCMODE | os.O_TRUNC),
        "open by the older call": lambda: _called("syscall", 2, path.encode(), os.O_TRUNC, 0),
        "open by the newer call": lambda: _called("syscall", 437, -100, path.encode(), HOW_TO_CUT, 24),
        "remove": lambda: Path(path).unlink(),
        "rename": lambda: Path(path).rename(path + "-other"),
        "link": lambda: os.link(path, path + "-link"),
        "symlink": lambda: Path(path + "-symlink").symlink_to(path),
        "folder": lambda: Path(path + "-folder").mkdir(),
        "fifo": lambda: os.mkfifo(path + "-fifo"),
        "mode": lambda: Path(path).chmod(0o777),
        "owner": lambda: os.chown(path, os.getuid(), os.getgid()),
        "times": lambda: os.utime(path, (1, 1)),
        "attribute": lambda: os.setxattr(path, "user.x", b"y"),
        "flags": lambda: fcntl.ioctl(os.open(path, os.O_RDONLY), 0x40086602, struct.pack("l", 0)),
    }
    return json.dumps([name for name, way in ways.items() if _succeeds(way)]).encode()


def reach(argument: bytes) -> bytes:
    """Every way to another process, and which succeeded."""
    port, parent = int(argument), os.getppid()
    ways = {
        "tcp": lambda: socket.create_connection(("127.0.0.1", port), timeout=2),
        **_by_other_sockets(port),
        "program": lambda: subprocess.run(["/bin/true"], check=True),
        "fork": lambda: os._exit(0) if os.fork() == 0 else None,
        "signal": lambda: os.kill(parent, 0),
        "signal to a thread": lambda: _called("syscall", TGKILL, parent, parent, 0),
        "signal with a value": lambda: _called("syscall", QUEUE, parent, 10, VALUE),
        "signal to a thread with a value": lambda: _called(
            "syscall", THREAD_QUEUE, parent, parent, 10, VALUE
        ),
        "signal by a file": lambda: signal.pidfd_send_signal(os.pidfd_open(parent), 0),
        "signal by a pipe": lambda: fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, parent),
        "limits": lambda: resource.prlimit(parent, resource.RLIMIT_CORE),
        "priority": lambda: os.setpriority(os.PRIO_PROCESS, parent, os.getpriority(os.PRIO_PROCESS, parent)),
        "processors": lambda: os.sched_setaffinity(parent, os.sched_getaffinity(parent)),
        "namespace": lambda: _called("unshare", 0x10000000),
        "trace": lambda: _called("ptrace", 16, parent, 0, 0),
    }
    return json.dumps([name for name, way in ways.items() if _succeeds(way)]).encode()


def leave(argument: bytes) -> bytes:
    """Every way to leave something in the kernel, or to have memory that no limit counts."""
    ways = {
        "memory": lambda: _called("shmget", 0, 4096, 0o1600),
        "semaphores": lambda: _called("semget", 0, 1, 0o1600),
        "messages": lambda: _called("msgget", 0, 0o1600),
        "queue": lambda: _called("mq_open", argument, os.O_CREAT | os.O_RDWR, 0o600, None),
        "file in memory": lambda: os.memfd_create("file"),
    }
    return json.dumps([name for name, way in ways.items() if _succeeds(way)]).encode()


def disturb(argument: bytes) -> bytes:
    """Every way to hold up, to watch or to write to others beside a file that may be read, and which
    succeeded."""
    file, folder, path = json.loads(argument)
    opened, watching = os.open(file, os.O_RDONLY), ctypes.CDLL(None).inotify_init()
    ways = {
        "lease": lambda: fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_WRLCK),
        "watch": lambda: _called("inotify_add_watch", watching, folder.encode(), 0x100),
        "the kernel's log": lambda: _called("klogctl", 10, None, 0),
        "the disk": lambda: _called("sync"),
        "the clock": lambda: _called("adjtimex", ctypes.create_string_buffer(512)),
        "datagram": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b"x", path),
    }
    return json.dumps([name for name, way in ways.items() if _succeeds(way)]).encode()


def connect(argument: bytes) -> bytes:
    """Connects to the first port, and tries to reach the second, which other process ever listens there."""
    allowed, other = json.loads(argument)
    socket.create_connection(("127.0.0.1", allowed), timeout=5).close()
    ways = {
        "tcp": lambda: socket.create_connection(("127.0.0.1", other), timeout=5),
        **_by_other_sockets(other),
    }
    return json.dumps([name for name, way in ways.items() if _succeeds(way)]).encode()


def look_up(argument: bytes) -> bytes:
    """Asks the port by UDP, as a name would be looked up, and tries what is beside that."""
    to, ways = int(argument), _by_other_sockets(int(argument))
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC).sendto(b"name", ("127.0.0.1", to))
    return json.dumps([name for name, way in ways.items() if "udp" not in name and _succeeds(way)]).encode()


def _by_other_sockets(port: int) -> dict[str, object]:
    to = ("127.0.0.1", port)
    return {
        "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", to),
        "udp over 6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
        "udp that is closed later": lambda: socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        ),
        "ping": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
        "raw": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP),
        "tcp over several paths": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).connect(to),
        "sctp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP).connect(to),
        "tcp with its first bytes": lambda: socket.socket().sendto(b"x", 0x20000000, to),
        "the same as a message": lambda: socket.socket().sendmsg([b"x"], [], 0x20000000, to),
        "listen": lambda: socket.socket().listen(),
        "bind": lambda: socket.socket().bind(("127.0.0.1", 0)),
        "unix": lambda: socket.socket(socket.AF_UNIX),
        "packet": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    }


def thread(_argument: bytes) -> bytes:
    done = threading.Event()
    threading.Thread(target=done.set).start()
    return str(done.wait(5)).encode()


def end_itself(_argument: bytes) -> bytes:
    """Signals and limits are its own to use: what `abort` and threads are made with."""
    _called("syscall", TGKILL, os.getpid(), threading.get_native_id(), 0)
    resource.prlimit(os.getpid(), resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE))
    signal.pthread_kill(threading.get_ident(), 0)
    os.abort()


def environment(_argument: bytes) -> bytes:
    return json.dumps(
        [dict(os.environ), str(Path.cwd()), len(list(Path("/proc/self/fd").iterdir()))]
    ).encode()


def grow(argument: bytes) -> bytes:
    return str(len(bytearray(int(argument)))).encode()


def overflow(_argument: bytes) -> bytes:
    ctypes.string_at(1)
    return b""


def loop(_argument: bytes) -> bytes:
    while True:
        pass


def sleep(_argument: bytes) -> bytes:
    time.sleep(600)
    return b""


def deaf(_argument: bytes) -> bytes:
    """Does not even let its own alarm end it."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    time.sleep(600)
    return b""


def lie(_argument: bytes) -> bytes:
    """Answers with a length that it does not keep, on the channel itself."""
    for number in range(3, 20):
        try:
            os.write(number, b"r" + (1 << 60).to_bytes(8, "little"))
        except OSError:
            continue
    os._exit(0)


def fail(_argument: bytes) -> bytes:
    raise ValueError("what was read is wrong")


def large(argument: bytes) -> bytes:
    return bytes(int(argument))


def fill(_argument: bytes, source: int, target: int) -> bytes:
    os.write(target, os.read(source, 100).upper())
    return b"done"


def _called(name: str, *arguments: int | bytes | None) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def _succeeds(way: object) -> bool:
    try:
        way()  # type: ignore[operator]
    except OSError:
        return False
    return True
