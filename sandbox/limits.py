"""What a confined process may use."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Limits:
    """The bounds of one call.

    Attributes:
        memory_bytes: Address space beyond what the warm process has already.
        cpu_s: Seconds of processor time, of all threads together.
        wall_s: Seconds until it is killed.
        output_bytes: Length of the result, and of each file that is written to.
        readable: Files and folders that may be read, beside the interpreter's own.
        writable: Files and folders that may be written to; files that are passed open need no entry.
        ports: TCP ports that may be connected to; none means that there is no network at all.
        resolves_names: Whether UDP is left, with which names are looked up; it reaches any host.
        may_execute: Whether another program may be started.
    """

    memory_bytes: int
    cpu_s: int
    wall_s: float
    output_bytes: int
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    ports: tuple[int, ...] = ()
    resolves_names: bool = False
    may_execute: bool = False

    def as_json(self) -> dict[str, Any]:
        """Returns the limits in JSON's types; `from_json` reads them."""
        return asdict(self) | {
            "readable": [str(path) for path in self.readable],
            "writable": [str(path) for path in self.writable],
        }

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Limits:
        """Reads what `as_json` wrote."""
        paths = {name: tuple(Path(path) for path in given[name]) for name in ("readable", "writable")}
        return cls(**given | paths | {"ports": tuple(given["ports"])})
