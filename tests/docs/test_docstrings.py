"""What the docstrings of the product begin with: a verb, wherever they are of a function."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
OURS = ("bench", "canopy", "ci", "clients", "contracts", "dags", "deploy", "docker", "expectations", "lake")
OURS += ("pipeline", "sandbox", "serving", "source", "tabular", "training", "ui")
# What a person reads as a command's help says what to do; `See` points to where it is said.
IMPERATIVE = ("canopy/cli.py", "canopy/commands/")
# Nouns that descriptions have begun with, though they end like a verb; a possessive is none either.
NO_VERB = re.compile(
    "Always|Areas|As|Bars|Bytes|Classes|Columns|Databases|Decimals|Distances|Expectations|Files|Folders|Its|Keys"
    "|Labels|Lakes|Landings|Lines|Macros|Microseconds|Numbers|Pages|Parts|Predictions|Responses|Rows|Seconds"
    "|Segments|Settings|Signals|This|Values|Versions|.*'s"
)


def docstrings() -> Iterator[tuple[str, str]]:
    """Yields the place and the docstring of each function that has one."""
    for name in OURS:
        for file in sorted((PROJECT / name).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
                    said := ast.get_docstring(node)
                ):
                    yield f"{file.relative_to(PROJECT)}:{node.lineno} {node.name}", said


def begins_with_verb(said: str) -> bool:
    """Returns whether the first word is a verb of the third person, or points elsewhere."""
    word = said.split()[0].rstrip(".,:;")
    return word in {"See", "Never"} or (
        word.endswith("s") and word[0].isupper() and not NO_VERB.fullmatch(word)
    )


def test_each_function_is_said_with_a_verb() -> None:
    found = list(docstrings())
    assert len(found) > 1000
    wrong = [
        f"{place}: {said.splitlines()[0]}"
        for place, said in found
        if not place.startswith(IMPERATIVE) and not begins_with_verb(said)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "said",
    ["Whether it is.", "The rows.", "What is left.", "Rows, oldest first.", "UCI's columns.", "a word"],
)
def test_what_begins_otherwise_is_found(said: str) -> None:
    assert not begins_with_verb(said)
