"""How a command answers: one JSON document for a program, a table or a sentence for a person."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console

out = Console()
errors = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]


def show(answer: Any, as_json: bool, text: Any) -> None:
    """Prints an answer for a program or for a person."""
    if as_json:
        typer.echo(json.dumps(_plain(answer), default=_plain))
    else:
        out.print(text)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return (
        value.isoformat()
        if isinstance(value, datetime)
        else value
        if isinstance(value, list | dict)
        else str(value)
    )
