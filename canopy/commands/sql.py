"""`canopy sql`"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from canopy.show import errors
from contracts.outside import TerminalSink, shown_on_terminal
from contracts.plain_files import require_place
from contracts.rights import as_person
from contracts.stack_settings import StackSettings

if TYPE_CHECKING:
    from lake.read.query_result import Format
    from lake.read.question import Questions

HISTORY = "sql_history"  # in the home folder
ENDINGS: dict[str, Format] = {".csv": "csv", ".json": "json", ".parquet": "parquet"}

Form = Literal["table", "csv", "json", "parquet"]


def sql(
    query: Annotated[
        str | None,
        typer.Argument(help="Such as: from gold.training_set; - for standard input; nothing for a shell."),
    ] = None,
    head: Annotated[bool, typer.Option("--head", help="Read the newest snapshot, published or not.")] = False,
    at: Annotated[
        str | None, typer.Option(help="Read a snapshot by its number, or what was published at a time (ISO).")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write into this file: .csv, .json or .parquet.")
    ] = None,
    form: Annotated[
        Form | None, typer.Option("--format", "-f", help="Default: a table, or as the file's name ends.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Query the lake as it is published, read-only, also while it is being refined; or open a shell on it."""
    form = "json" if as_json else form
    if query is None and sys.stdin.isatty():
        _open_shell(head, at, takes_options=not (output or form))
        return
    if output:
        require_place(output)
    text = sys.stdin.read() if query is None or query == "-" else query
    given = _file_format(output, form) if output else form or "table"
    if given == "parquet" and not output and sys.stdout.isatty():
        raise typer.BadParameter("Parquet is not for a terminal: add --output FILE.")

    from lake.read.question import Questions  # --help does not need it

    with Questions() as questions:
        if given == "table":
            _draw(questions, text, head, at)
        elif output:
            with as_person():
                rows = questions.write(text, output, given, head=head, at=at)
            typer.echo(f"{rows:,} rows are in {output}.")
        else:
            is_text_on_terminal = sys.stdout.isatty() and given != "parquet"
            sink = TerminalSink(sys.stdout.buffer) if is_text_on_terminal else sys.stdout.buffer
            questions.stream(text, sink, given, head=head, at=at)


def _open_shell(head: bool, at: str | None, *, takes_options: bool) -> None:
    if not takes_options:
        raise typer.BadParameter("A shell gives its answers itself: add a query, or leave out the option.")
    from lake.read.shell import open_shell

    raise typer.Exit(open_shell(StackSettings().folder / HISTORY, head=head, at=at))


def _file_format(output: Path, form: Form | None) -> Format:
    if form == "table" or (form is None and output.suffix not in ENDINGS):
        raise typer.BadParameter(f"{output.name} can end in {', '.join(ENDINGS)}; or add --format.")
    return form or ENDINGS[output.suffix]


def _draw(questions: Questions, query: str, head: bool, at: str | None) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    with errors.status("Asking the lake"):
        drawing = questions.draw(query, width, head=head, at=at)
    typer.echo(shown_on_terminal(drawing.text))
    if drawing.is_cut:
        typer.echo("There are more rows: --format csv or json gives all of them.", err=True)
