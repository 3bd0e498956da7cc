"""A process confines itself: rights, then memory, time and sizes. None of it can be taken back."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from sandbox import landlock, seccomp
from sandbox.limits import Limits

OPEN_FILES = 512
PARENT_DIES = 1  # prctl
# What a program needs before it can do anything: libraries, time zones, and nothing of a person's.
SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache", "/dev/null")
DEVICES = ("/dev/urandom", "/dev/random", "/dev/zero")
# How a name becomes an address, and whom to trust: where there is a port to connect to.
RESOLVING = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf")
TRUSTED = ("/etc/ssl", "/usr/share/ca-certificates")


@dataclass(frozen=True)
class Protection:
    """What this machine offers.

    Attributes:
        landlock: The version, or 0: then files are not taken away.
        seccomp: Whether system calls are.
    """

    landlock: int
    seccomp: bool

    @property
    def cannot_write(self) -> bool:
        """Returns whether a confined process is unable to change a file, whatever it tries.

        Landlock knows of cutting a file short since its version 3; before, seccomp refuses it.
        """
        return self.landlock >= landlock.TRUNCATE_VERSION or (self.landlock > 0 and self.seccomp)

    @property
    def has_no_network(self) -> bool:
        """Returns whether a confined process that is given no port is unable to reach any other."""
        return self.seccomp

    @property
    def keeps_to_ports(self) -> bool:
        """Returns whether one that is given ports is unable to reach another port."""
        return self.seccomp and self.landlock >= landlock.NET_VERSION

    def text(self, *, has_ports: bool = False, resolves_names: bool = False) -> str:
        """Returns what holds, for a person.

        Args:
            has_ports: Whether questions are given ports, for a store or a catalog in PostgreSQL.
            resolves_names: Whether they look names up themselves.
        """
        said = [f"Files from outside are read in processes of their own: {self._files}; {self._no_network}."]
        if has_ports:
            said.append(f"Questions run in such processes too, but {self._ports(resolves_names)}.")
        else:
            said[0] = said[0].replace(
                "Files from outside are read", "Questions and files from outside run", 1
            )
        return " ".join(said)

    @property
    def _files(self) -> str:
        if not self.landlock:
            return "Landlock is missing in this kernel or container, so only rules keep them from files"
        reads = f"read only what they are given (Landlock {self.landlock})"
        if not self.cannot_write:
            return f"they can cut files short, which needs Landlock 3 or seccomp, and {reads}"
        return f"they can write nowhere and {reads}"

    @property
    def _no_network(self) -> str:
        if self.has_no_network:
            return "they have no network (seccomp)"
        return "seccomp is missing on this machine, so only rules keep them from the network"

    def _ports(self, resolves_names: bool) -> str:
        if not self.seccomp:
            return (
                "nothing but rules keeps them from any host"
                if self.landlock < landlock.NET_VERSION
                else (
                    "they reach the ports of store and catalog on any host by TCP, and anything else by UDP"
                )
            )
        ports = (
            "the ports of store and catalog on any host"
            if self.keeps_to_ports
            else f"any port on any host (Landlock {landlock.NET_VERSION} would leave two)"
        )
        names = (
            "by TCP, and any host by UDP, as the store's name is looked up there"
            if resolves_names
            else "by TCP alone"
        )
        return f"they reach {ports} {names}"


def protection() -> Protection:
    """Returns what confining a process takes from it on this machine."""
    return Protection(landlock.version(), seccomp.is_known())


def confine(limits: Limits, packages: tuple[Path, ...] = ()) -> Protection:
    """Confines this process, and what it starts, for good.

    Args:
        limits: What is left to it.
        packages: Folders of code that it may still import from, beside the interpreter's own.

    Returns: What held.
    Raises: OSError.
    """
    _bound(limits)
    landlock.forbid_new_privileges()
    names = (*RESOLVING, *TRUSTED) if limits.ports else ()
    fixed = [Path(path) for path in (*SYSTEM, *DEVICES, *names)]
    readable = [*fixed, *interpreter(), *packages, *limits.readable]
    landlock.restrict(readable, [Path("/dev/null"), *limits.writable], limits.ports)
    held = seccomp.restrict(
        has_network=bool(limits.ports), may_execute=limits.may_execute, resolves_names=limits.resolves_names
    )
    return Protection(landlock.version(), held)


def end_with_parent(number: signal.Signals) -> None:
    """Has the kernel send this process, and what takes its place, a signal when its parent has ended."""
    ctypes.CDLL(None).prctl(PARENT_DIES, number, 0, 0, 0)


def interpreter() -> list[Path]:
    """Returns the folders that Python itself lives in, with the installed packages."""
    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return [Path(path) for path in sorted({sys.prefix, sys.base_prefix, *paths})]


def _bound(limits: Limits) -> None:
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    bounds = {
        resource.RLIMIT_AS: has + limits.memory_bytes,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_FSIZE: limits.output_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
    }
    for kind, bound in bounds.items():
        _, most = resource.getrlimit(kind)
        bound = bound if most == resource.RLIM_INFINITY else min(bound, most)
        # SIGKILL, at the hard limit, would say nothing of the reason; SIGXCPU comes a second before.
        hard = bound + 1 if kind == resource.RLIMIT_CPU and most == resource.RLIM_INFINITY else bound
        resource.setrlimit(kind, (bound, hard))
    signal.setitimer(signal.ITIMER_REAL, limits.wall_s)  # SIGALRM ends it, also within a library's loop
    os.umask(0o077)
