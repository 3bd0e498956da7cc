"""The command line at a terminal, in a pipe, and on Tab."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
from rich.table import Table
from typer.testing import CliRunner

from canopy.cli import app
from canopy.show import HarmlessConsole
from tests.docs.test_commands import _leaves, resolve

Canopy = Callable[..., subprocess.CompletedProcess[str]]

COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-7]|9[0-7]|38;|48;)[0-9;]*m")
PLAIN = [("doctor",), ("status",), ("--help",), ("lake", "fly")]
PROGRAMS = Path(sys.executable).parent


def at_terminal(environment: dict[str, str], *arguments: str) -> str:
    """What a person sees, codes included."""
    given = environment | {"TERM": "xterm-256color"}
    child = pexpect.spawn(str(PROGRAMS / "canopy"), list(arguments), env=given, encoding="utf-8", timeout=120)
    seen = str(child.read())
    child.close()
    return seen


@pytest.mark.parametrize("arguments", [*PLAIN, ("sql", "select 1")])
def test_a_terminal_has_colours_unless_somebody_wants_none(
    environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    plain = at_terminal(environment | {"NO_COLOR": "1"}, *arguments)
    assert not COLOUR.search(plain)
    kept = {name: value for name, value in environment.items() if name != "NO_COLOR"}
    if arguments != ("status",):  # whose colours are those of parts and audits: here there are none
        assert COLOUR.search(at_terminal(kept, *arguments))


@pytest.mark.parametrize("arguments", [*PLAIN, ("refine", "--help")])
def test_a_pipe_gets_no_codes_and_no_progress(canopy: Canopy, arguments: tuple[str, ...]) -> None:
    ended = canopy(*arguments)
    assert "\x1b" not in ended.stdout + ended.stderr
    assert "Looking at" not in ended.stderr


@pytest.mark.long
def test_what_takes_longer_says_so_at_a_terminal_and_is_gone_afterwards(environment: dict[str, str]) -> None:
    seen = at_terminal(environment, "lake", "manifest")
    assert "Reading the dbt project" in seen
    assert re.search(r"0:00:0[1-9]|0:00:[1-5]\d", seen)  # how long already
    last = seen.rpartition("Reading the dbt project")[2]
    assert "\x1b[2K" in last  # the line is erased
    assert "manifest.json" in last


@pytest.mark.parametrize("command", _leaves())
def test_every_command_has_help_with_an_example_that_can_be_typed(command: str) -> None:
    text = _help(command)
    lines = [line.strip() for line in text.partition("Examples")[2].splitlines()]
    typed = [line for line in lines if line.startswith("canopy ")]
    assert typed, f"canopy {command} has no example"
    for line in typed:
        assert " ".join(resolve(shlex.split(line)[1:])).startswith(command)


def test_completion_prints_a_script_that_completes_in_a_real_bash(environment: dict[str, str]) -> None:
    given = environment | {"PATH": f"{PROGRAMS}:{environment['PATH']}"}
    script = """
eval "$(_CANOPY_COMPLETE=source_bash canopy)"
complete -p canopy
COMP_WORDS=(canopy lake ver); COMP_CWORD=2; _canopy_completion canopy; echo "${COMPREPLY[@]}"
COMP_WORDS=(canopy search --cand); COMP_CWORD=2; _canopy_completion canopy; echo "${COMPREPLY[@]}"
COMP_WORDS=(canopy sql --format ""); COMP_CWORD=3; _canopy_completion canopy; echo "${COMPREPLY[@]}"
"""
    ended = subprocess.run(["bash", "-c", script], env=given, capture_output=True, text=True, timeout=120)
    assert ended.stderr == ""
    registered, command, option, values = ended.stdout.splitlines()
    assert registered.endswith("canopy")
    assert (command, option) == ("verify", "--candidate")
    assert values.split() == ["table", "csv", "json", "parquet"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_each_shell_gets_its_script(environment: dict[str, str], shell: str) -> None:
    given = environment | {"_CANOPY_COMPLETE": f"source_{shell}"}
    command = [str(PROGRAMS / "canopy")]
    said = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60).stdout
    assert "_CANOPY_COMPLETE" in said


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("CANOPY_UI_PORT", "many", "CANOPY_UI_PORT='many' cannot work"),
        ("SOURCE_TARGET_COVERAGE", "5", "SOURCE_TARGET_COVERAGE='5' cannot work"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_its_value(
    canopy: Canopy, environment: dict[str, str], variable: str, value: str, says: str
) -> None:
    environment[variable] = value
    ended = canopy("collect")
    assert ended.returncode == 2
    said = " ".join(ended.stderr.split())
    assert says in said
    assert ".env.example says what it means" in said
    assert "Traceback" not in said


def _help(command: str) -> str:
    return str(CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"}).stdout)


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize(
    "value", ["/" + "a-long-folder/" * 20 + "end", "x" * 300, "http://127.0.0.1:8000/?" + "a=1&" * 60]
)
def test_no_value_in_a_table_is_cut(width: int, value: str) -> None:
    table, grid = Table("What", "Found", "What to do"), Table.grid(padding=(0, 2))
    table.add_row("Disk", "full", value)
    grid.add_row("next", value)
    for shown in (table, grid):
        console = HarmlessConsole(width=width)
        with console.capture() as captured:
            console.print(shown)
        assert value in re.sub(r"[\s│]", "", captured.get())
