"""The reference pages, made from the code: every command, every setting, every expected error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer.main
from pydantic.fields import FieldInfo
from typer.core import TyperGroup, TyperOption

from contracts.errors import CanopyError
from contracts.settings import Settings, variable
from deploy.settings_classes import default_of, meanings, own_fields, settings_classes

COMMANDS = """# Commands

Made from the code. `canopy COMMAND --help` says the same at a terminal. How a command ends is in
[Exit statuses](errors.md), how Tab completes commands and options in
[Operations](../operations.md#at-the-command-line)."""

SETTINGS = """# Settings

Made from the code. A setting is a variable of the environment, or a line of the file `.env` in the working
folder; the environment wins over the file. `.env.example` lists the same settings, to be copied. What the
local stack derives from others (`LAKE_URI` from `CANOPY_HOME`, say) is used only where nobody has set it.

Each line of the file is `NAME=value`, a comment or blank; any other stops every command, and is named. A path
may begin with `~`. No number is endless: `*_TIMEOUT_S` is a week at most, other `*_S`, `*_HOURS` and
`*_DAYS` a hundred years, `*_MB` 1,048,576, `*_BYTES` 2^60 and any other 2^53, unless a setting takes
less."""

ERRORS = """# Exit statuses

Made from the code. A command that ends well has the status 0. An expected error is one message, which says
what is wrong, with which value, and what to do; the status tells programs of which kind it is. Ctrl-C ends
`canopy demo` with 130, and an answer whose reader has gone (`canopy sql … | head`) with 141.
What to do about each is in [Incidents](../incidents.md).

| Status | Error | |
|---|---|---|
| 2 | | the command line cannot be read: an unknown command or option, a value that cannot be |"""


def command_reference() -> str:
    """Returns Markdown: every command with its usage, arguments, options, defaults and examples."""
    from canopy.cli import app

    sections = [_command(*found) for found in _walk("canopy", typer.main.get_command(app))]
    return "\n\n".join([COMMANDS, *sections]) + "\n"


def setting_reference() -> str:
    """Returns Markdown: every settings class with its settings, their defaults and what they mean."""
    return "\n\n".join([SETTINGS, *map(_settings, settings_classes())]) + "\n"


def error_reference() -> str:
    """Returns Markdown: the errors by their exit status."""
    found = sorted(_below(CanopyError), key=lambda kind: kind.exit_status)
    rows = [
        f"| {kind.exit_status} | `{kind.__name__}` | {(kind.__doc__ or '').strip().splitlines()[0]} |"
        for kind in found
    ]
    return "\n".join([ERRORS, *rows]) + "\n"


def _walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    # Any: the classes above typer's are of its own copy of click, which is private.
    yield path, command
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from _walk(f"{path} {name}", child)


def _command(path: str, command: Any) -> str:
    context = command.make_context(path, [], resilient_parsing=True)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    rows = [_parameter(one) for one in command.params if not getattr(one, "hidden", False)]
    table = "\n".join(["| | | Default |", "|---|---|---|", *rows]) if rows else ""
    lines = [line.strip() for line in _plain(command.epilog).splitlines()]
    examples = "\n".join(line for line in lines if line.startswith("canopy "))
    pieces = [f"## {path}", _plain(command.help), f"```text\n{usage}\n```", table]
    pieces += [f"Examples:\n\n```sh\n{examples}\n```"] if examples else []
    return "\n\n".join(piece for piece in pieces if piece)


def _parameter(parameter: Any) -> str:
    is_option = isinstance(parameter, TyperOption)
    names = parameter.opts if is_option else [parameter.metavar or str(parameter.name).upper()]
    spelled = ", ".join(f"`{name}`" for name in names)
    is_told = parameter.default is None or callable(parameter.default) or getattr(parameter, "is_flag", False)
    last = "required" if parameter.required else "" if is_told else f"`{parameter.default}`"
    return f"| {spelled} | {_cell(_plain(getattr(parameter, 'help', '')))} | {last} |"


def _settings(settings: type[Settings]) -> str:
    said = meanings(settings)
    rows = [
        f"| `{variable(settings, name, field)}` | {_default(field)} | {_cell(said.get(name, ''))} |"
        for name, field in own_fields(settings).items()
    ]
    title = settings.__name__.removesuffix("Settings")
    return "\n".join([f"## {title}", "", "| Setting | Default | |", "|---|---|---|", *rows])


def _default(field: FieldInfo) -> str:
    return f"`{default}`" if (default := default_of(field)) else ""


def _below(kind: type[CanopyError]) -> Iterator[type[CanopyError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def _plain(text: str | None) -> str:
    """Returns a text without rich's markup, as it stands in help texts."""
    return re.sub(r"\[/?(?:dim|bold|cyan|green|red)?\]", "", text or "").strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
