"""How a command answers: one JSON document for a program, a table or a sentence for a person."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table

from contracts.outside import shown_on_terminal


class HarmlessConsole(Console):
    """A console on which only rich itself moves the cursor: what is printed cannot, wherever it came from.

    A cell of a table is whole, in several lines if need be: what is cut cannot be looked for or copied.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yields what is drawn, its texts without a control character of their own."""
        if isinstance(renderable, Table):
            for column in renderable.columns:
                column.overflow = "fold"
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else shown_on_terminal(text), style, control)


# rich leaves colours out where NO_COLOR is set, and all codes where nobody looks.
out = HarmlessConsole()
errors = HarmlessConsole(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]


def show(answer: Any, as_json: bool, text: Any) -> None:
    """Prints an answer for a program or for a person."""
    if as_json:
        typer.echo(json.dumps(answer, default=_plain))
    else:
        if isinstance(
            sys.stdout, TextIOWrapper
        ):  # a letter that a person's terminal lacks is written as its number
            sys.stdout.reconfigure(errors="backslashreplace")
        out.print(text)


def examples(*lines: str) -> str:
    """Returns the end of a command's help; a reader copies these, and a test reads them as command lines."""
    return "\n\n".join(["[bold]Examples[/bold]", *map(escape, lines)])


@contextmanager
def working(what: str) -> Iterator[None]:
    """Says on a terminal what takes so long, and how long already; it is gone afterwards."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        progress.add_task(what, total=None)
        yield


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)
