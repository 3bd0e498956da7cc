"""The page with every command, as the command line itself knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

import typer.main
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption


def command_reference() -> str:
    """Markdown: every command with its usage, arguments, options, defaults and examples."""
    from canopy.cli import app

    root = cast(TyperGroup, typer.main.get_command(app))
    sections = [_section(path, command) for path, command in _walk("canopy", root)]
    return "\n\n".join([HEAD, _section("canopy", root), *sections]) + "\n"


HEAD = """# Commands

Made from the code. `canopy COMMAND --help` says the same at a terminal. How a command ends is in
[Exit statuses](errors.md), how Tab completes commands and options in
[Operations](../operations.md#at-the-command-line)."""


def _walk(path: str, group: TyperGroup) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    for name, command in cast(dict[str, TyperCommand | TyperGroup], group.commands).items():
        yield f"{path} {name}", command
        if isinstance(command, TyperGroup):
            yield from _walk(f"{path} {name}", command)


def _section(path: str, command: TyperCommand | TyperGroup) -> str:
    usage = " ".join(
        [path, *command.collect_usage_pieces(command.make_context(path, [], resilient_parsing=True))]
    )
    pieces = [
        f"## {path}",
        _plain(command.help or ""),
        f"```text\n{usage}\n```",
        _table(command),
        _examples(command),
    ]
    return "\n\n".join(piece for piece in pieces if piece)


def _table(command: TyperCommand | TyperGroup) -> str:
    rows = [_row(one) for one in command.params if isinstance(one, TyperArgument | TyperOption)]
    rows = [row for row in rows if row]
    return "\n".join(["| | | Default |", "|---|---|---|", *rows]) if rows else ""


def _row(parameter: TyperArgument | TyperOption) -> str:
    if getattr(parameter, "hidden", False):
        return ""
    is_flag = isinstance(parameter, TyperOption) and parameter.is_flag
    names = (
        parameter.opts
        if isinstance(parameter, TyperOption)
        else [parameter.metavar or str(parameter.name).upper()]
    )
    spelled = ", ".join(f"`{name}`" for name in names)
    known = parameter.default
    default = "" if is_flag or known is None or callable(known) else f"`{known}`"
    last = "required" if parameter.required else default
    return f"| {spelled} | {_cell(_plain(parameter.help or ''))} | {last} |"


def _examples(command: TyperCommand | TyperGroup) -> str:
    lines = [line.strip() for line in _plain(command.epilog or "").splitlines() if line.strip()]
    lines = [line for line in lines if line.startswith("canopy ")]
    return "Examples:\n\n```sh\n" + "\n".join(lines) + "\n```" if lines else ""


def _plain(text: str) -> str:
    """Without rich's markup, as it stands in help texts."""
    return re.sub(r"\[/?(?:dim|bold|cyan|green|red)?\]", "", text).strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
