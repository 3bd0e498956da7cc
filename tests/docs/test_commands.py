"""Every command that the documentation names is one that can be typed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup

from canopy.cli import app
from tests.docs.pages import PAGES, ROOT, commands, page_id

REFERENCE = ROOT / "docs" / "reference" / "index.md"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    for arguments in commands(page):
        try:
            resolve(arguments)
        except Exception as error:
            pytest.fail(f"{page_id(page)}: canopy {' '.join(arguments)}: {error}")


def test_the_reference_names_every_command() -> None:
    named = {" ".join(resolve(arguments)) for arguments in commands(REFERENCE)}
    assert set(_leaves()) <= named


def test_every_target_of_make_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M))
    named = {
        name for page in PAGES for name in re.findall(r"^make (\w+)|`make (\w+)", page.read_text(), re.M)
    }
    found = {first or second for first, second in named}
    assert {"demo", "test"} <= found <= targets


@pytest.mark.parametrize(
    "arguments", [["fly"], ["lake", "fly"], ["demo", "--fly"], ["source", "restart"], ["down", "now"]]
)
def test_what_cannot_be_typed_is_noticed(arguments: list[str]) -> None:
    with pytest.raises(Exception, match=r"fly|group|now"):
        resolve(arguments)


def resolve(arguments: list[str]) -> list[str]:
    """Reads a command line as the CLI would, without running it.

    Returns: the names of the command, such as `lake`, `verify`.
    """
    command: Any = typer.main.get_command(app)
    names: list[str] = []
    rest = [word for word in arguments if word != "--help"]  # each command has it
    while isinstance(command, TyperGroup) and rest:
        word = rest.pop(0)
        if word.startswith("-"):
            assert any(word in parameter.opts for parameter in command.params), f"there is no option {word}"
            continue
        assert word in command.commands, f"there is no command {word}"
        command = command.commands[word]
        names.append(word)
    if isinstance(command, TyperCommand) and "--help" not in arguments:
        command.make_context(names[-1], rest)
    return names


def _leaves() -> list[str]:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    found: list[str] = []
    for name, command in group.commands.items():
        below = command.commands if isinstance(command, TyperGroup) else None
        found += [f"{name} {child}" for child in below] if below else [name]
    return found
