"""Whether a content is what it is said to be: text is looked at as the kind that its sender names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from contracts.covertype import Column
from tabular.content import Content
from tabular.errors import TableUnreadable
from tabular.formats import CSV, JSON_LINES, NAMES
from tabular.header import header_of
from tabular.names import spellings

BEGINNING = 4096
# The first name of a CSV file may begin with a bracket, and not like that.
JSON_BEGINNING = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\[\s*[\[{\]]|\{\s*["}])')


def require_alike(content: Content, found: str, kind: str, wanted: Sequence[Column]) -> None:
    """What is surely another format is not looked at as this one. Raises: TableUnreadable."""
    if found == JSON_LINES:
        is_other = JSON_BEGINNING.match(bytes(content[:BEGINNING])) is not None
    elif found == CSV:
        is_other = kind == JSON_LINES and _has_names(content, wanted)
    else:
        is_other = True
    if is_other:
        name = "JSON" if found == JSON_LINES else NAMES[found]
        raise TableUnreadable(f"it is {name}", f"Send it with Content-Type: {found}.")


def _has_names(content: Content, wanted: Sequence[Column]) -> bool:
    """Whether the first line of a text has the name of a column."""
    try:
        names = header_of(content, wanted).names
    except TableUnreadable:
        return False
    return any(name.casefold() in spellings(wanted) for name in names)
