"""How a table can fail to be read. Each caller says it in its own words: only it knows whose it is."""

from __future__ import annotations


class TableUnreadable(Exception):
    """A table cannot be read.

    Attributes:
        what: What is wrong, with the value, as the end of a sentence.
        remedy: What to do, as a sentence; empty where `what` says it.
    """

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}. {remedy}".rstrip())
        self.what, self.remedy = what, remedy


class NotExact(Exception):
    """The fast look met a value that is written otherwise; the second look reads it."""
