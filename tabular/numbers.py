"""Whole numbers as people and programs write them: `2596`, `2596.0`, `2596,0`, `1.234,0`, `2.596e3`.

A number is taken only where it can mean nothing else. `3,072` is 3072 in one country and 3.072 in another, so
it is neither.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

# No column of any contract holds a number of more digits; more would only cost time.
DIGITS = 18
PLAIN = re.compile(r"[+-]?[0-9]+")
MARKED = re.compile(r"([+-]?)([0-9]+)((?:[.,][0-9]*)+)")
POWER = re.compile(r"[+-]?[0-9]{1,18}(?:[.,][0-9]{0,18})?[eE][+-]?[0-9]{1,2}")
GROUPS = re.compile(r"[1-9][0-9]{0,2}(?:[.,][0-9]{3})+")
HEXADECIMAL = re.compile(r"\s*[+-]?0[xX][0-9a-fA-F]{1,16}\s*")
UNDECIDED = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")


def whole(text: str) -> int | None:
    """Returns the whole number that a text is for sure, or None.

    Blanks around it do not count. A fraction of nothing but zeros loses nothing and is taken.
    """
    text = text.strip()
    return _whole(text) if len(text) <= 2 * DIGITS else None


@lru_cache(maxsize=2**15)  # the same ones come again in each piece of a file
def _whole(text: str) -> int | None:
    if PLAIN.fullmatch(text):
        return int(text)
    if POWER.fullmatch(text):
        return _of_decimal(Decimal(text.replace(",", ".")))
    found = MARKED.fullmatch(text)
    if found is None or UNDECIDED.fullmatch(text):
        return None
    sign, head, rest = found.groups()
    number = _of_marks(head + rest)
    return None if number is None else -number if sign == "-" else number


def readings(text: str) -> tuple[str, str] | None:
    """Returns the two numbers that a text may be, where it may be two: `3,072` is 3072 or 3.072."""
    text = text.strip()
    if not UNDECIDED.fullmatch(text):
        return None
    return re.sub("[.,]", "", text), text.replace(",", ".")


def _of_marks(text: str) -> int | None:
    """Returns a number without its sign, with at least one mark in it."""
    place = max(text.rfind("."), text.rfind(","))
    mark, head, tail = text[place], text[:place], text[place + 1 :]
    if mark not in head and not tail.strip("0"):  # the last mark is the only one of its kind: a decimal one
        if head.isdecimal():
            return int(head)
        if GROUPS.fullmatch(head) and len(set(re.sub("[0-9]", "", head))) == 1:
            return int(re.sub("[.,]", "", head))
        return None
    if mark in head and GROUPS.fullmatch(text) and len(set(re.sub("[0-9]", "", text))) == 1:
        return int(re.sub("[.,]", "", text))
    return None


def _of_decimal(number: Decimal) -> int | None:
    return int(number) if number == number.to_integral_value() and number.adjusted() < DIGITS else None
