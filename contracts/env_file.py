"""Checks that a file of settings is read as it is written: a line that its parser would skip is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from contracts.errors import SettingsFileUnreadable
from contracts.plain_files import open_plain

# Thousands of settings; a sparse file, or one that was taken for it, is not read whole.
LARGEST_BYTES = 2**20
# How a file begins that is not what it seems: PowerShell's `>` writes UTF-16.
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# Other programs' names may have dots and hyphens in them.
NAME = re.compile(r"[^\W\d][\w.-]*")
# Within a value: the quotation mark before it was never closed. No line of a key or of JSON looks so.
SETS = re.compile(r"\s*(?:export\s+)?[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\s*=")
PLAIN = "Put a file of text in its place, with lines NAME=value, or take it away."
WRITTEN = (
    "Write each setting so, on a line of its own; a value stands between two quotation marks or has none, "
    "and a comment begins with #."
)


def check_env_file(file: Path) -> None:
    """Sees whether a file of settings is text, and every line of it is read.

    Nothing there, or a folder, sets nothing. Raises: SettingsFileUnreadable.
    """
    content = _content(file)
    if content is None:
        return
    for binding in parse_stream(StringIO(_text(file, content), newline=None)):
        line = binding.original.line + _blank_lines(binding)
        if not _is_setting(binding):
            raise SettingsFileUnreadable(file, f"line {line} is no NAME=value. {WRITTEN}")
        for within in _swallowed(binding):
            swallowed = f"the value of line {line} goes on over line {line + within}, which sets something"
            raise SettingsFileUnreadable(file, f"{swallowed} itself. Close its quotation mark.")


def _content(file: Path) -> bytes | None:
    """Returns the bytes of a file; None where there is none, or a folder. Raises: SettingsFileUnreadable."""
    try:
        with open_plain(file, LARGEST_BYTES) as opened:
            return opened.read()
    except IsADirectoryError:
        return None
    except PermissionError as error:
        raise SettingsFileUnreadable(file, f"{error.strerror}. Give yourself the right to read it.") from None
    except (FileNotFoundError, NotADirectoryError):
        if file.is_symlink():
            raise SettingsFileUnreadable(file, f"it is a link to nothing. {PLAIN}") from None
        return None
    except OSError as error:
        raise SettingsFileUnreadable(file, f"{error.strerror}. {PLAIN}") from None


def _text(file: Path, content: bytes) -> str:
    """Takes bytes as UTF-8. Raises: SettingsFileUnreadable."""
    if content.startswith(UTF_16):
        raise SettingsFileUnreadable(file, "it is UTF-16, as PowerShell's > writes. Save it as UTF-8.")
    if b"\0" in content:  # UTF-16 without its mark; no setting would be found in it
        where = content.index(0) + 1
        raise SettingsFileUnreadable(file, f"byte {where} is NUL, as in UTF-16. Save it as UTF-8.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsFileUnreadable(
            file, f"byte {error.start + 1}, on line {line}, is not UTF-8. Save it as UTF-8."
        ) from None


def _is_setting(binding: Binding) -> bool:
    """Returns whether a line is NAME=value, or sets nothing on purpose: blank, or a comment."""
    if binding.error:
        return False
    if binding.key is None:
        return True
    return binding.value is not None and bool(NAME.fullmatch(binding.key))


def _blank_lines(binding: Binding) -> int:
    """Returns how many lines stand between where a binding is found and where it begins."""
    text = binding.original.string
    return text.count("\n", 0, len(text) - len(text.lstrip()))


def _swallowed(binding: Binding) -> Iterator[int]:
    """Yields lines within a value that look like a setting each, counted from the value's own."""
    lines = (binding.value or "").split("\n")
    yield from (place for place, line in enumerate(lines) if place and SETS.match(line))
