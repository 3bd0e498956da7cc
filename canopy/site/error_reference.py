"""The page with every expected error and the exit status that it ends a command with."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.errors import CanopyError

HEAD = """# Exit statuses

Made from the code. A command that ends well has the status 0. An expected error is one message, which says
what is wrong, with which value, and what to do; the status tells programs of which kind it is. Ctrl-C ends
`canopy demo` with 130, and an answer whose reader has gone (`canopy sql … | head`) with 141.
What to do about each is in [Incidents](../incidents.md).

| Status | Error | |
|---|---|---|"""


def error_reference() -> str:
    """Markdown: the errors by their exit status."""
    found = sorted(_below(CanopyError), key=lambda kind: kind.exit_status)
    usage = [
        "| 2 | | the command line cannot be read: an unknown command or option, a value that cannot be |"
    ]
    rows = [f"| {kind.exit_status} | `{kind.__name__}` | {_first_line(kind)} |" for kind in found]
    return "\n".join([HEAD, *usage, *rows]) + "\n"


def _below(kind: type[CanopyError]) -> Iterator[type[CanopyError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def _first_line(kind: type[CanopyError]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
