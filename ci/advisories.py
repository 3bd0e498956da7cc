"""Refuses locks that name a version with an advisory that somebody has read: `python ci/advisories.py`."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

HERE = Path(__file__).parent
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*])?==([^\s;\\]+)")


def pins(lock: Path) -> Iterator[tuple[str, Version]]:
    """Yields what a lock names, and in which version."""
    for line in lock.read_text().splitlines():
        if found := PIN.match(line):
            yield canonicalize_name(found[1]), Version(found[2])


def faults(advisories: Path, locks: Path) -> list[str]:
    """Returns one sentence for each pin that has an advisory, and for each line of a lock that has no
    hash."""
    known = tomllib.loads(advisories.read_text())["advisory"]
    found = []
    for lock in sorted(locks.glob("*.txt")):
        pinned = list(pins(lock))
        unhashed = [line for line in _entries(lock.read_text()) if "--hash=sha256:" not in line]
        found += [f"{lock.name} has no hash for {line.split()[0]}: `make lock`." for line in unhashed]
        if not pinned:
            found.append(f"{lock.name} names nothing: `make lock`.")
        for name, version in pinned:
            found += [
                f"{lock.name} names {name} {version}, which has {entry['id']} ({entry['what']}): "
                f"take {entry['fixed']} or newer (`make lock`)."
                for entry in known
                if canonicalize_name(entry["package"]) == name and version < Version(entry["fixed"])
            ]
    return found


def _entries(text: str) -> list[str]:
    """Returns a lock's entries, each with the lines that go on from it."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def main() -> None:
    """Ends with status 1, and the faults, if there is one."""
    given = [Path(argument) for argument in sys.argv[1:]] or [
        HERE / "advisories.toml",
        HERE.parent / "requirements",
    ]
    if found := faults(*given):
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
