"""What of a response does not fit, in words that stay short whatever was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

JSON_NAMES = {
    dict: "an object", list: "a list", str: "a string", int: "an integer", float: "a number",
    bool: "true or false", type(None): "null",
}  # fmt: skip
LONGEST_NAME, MOST_NAMES = 40, 10


@dataclass(frozen=True)
class Difference:
    """What exactly does not fit, and what to do where that is known."""

    text: str


def kind(value: Any) -> str:
    """Returns what JSON calls it."""
    return JSON_NAMES.get(type(value), type(value).__name__)


def shown(value: Any) -> str:
    """Returns the value itself where it is short, else its beginning or its kind."""
    if isinstance(value, dict | list):
        return kind(value)
    if type(value) is int and abs(value) > 10**18:
        return "a very large integer"
    text = repr(value)
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def listed(names: Sequence[str]) -> str:
    """Returns names in quotes, with commas between; the first ten of them."""
    return ", ".join(repr(name[:LONGEST_NAME]) for name in names[:MOST_NAMES])


def keys_apart(found: Sequence[str], expected: Sequence[str]) -> str | None:
    """Returns which keys are missing and which are there without being expected; None where neither."""
    missing = [key for key in expected if key not in found]
    unexpected = [key for key in found if key not in expected]
    parts = [f"without {listed(missing)}"] if missing else []
    parts += [f"with {listed(unexpected)}"] if unexpected else []
    return " and ".join(parts) or None
