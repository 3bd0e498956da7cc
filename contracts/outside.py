"""Text from outside, made harmless for terminals, logs, messages and spreadsheets; secrets, masked."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import BinaryIO
from urllib.parse import urlsplit, urlunsplit

LONGEST = 500
MASK = "***"

# What a spreadsheet may take for a formula, in its half-width and full-width forms.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
LATER_FORMULA = re.compile(rf"(?<=;)(?=[ \"]*[{re.escape(''.join(FORMULA))}])")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

# Names under which secrets are kept, whoever gave the name.
SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|file)?(?![a-z])|pwd|secret|token|api_?key|access_?key|fernet|credential"
    r"|authorization|headers?(?![a-z])|source\w*_parameters|alert_urls|cookie|private",
    re.IGNORECASE,
)
# Secrets within a text: connection strings and JSON, and addresses with an account or a question mark.
ASSIGNED = re.compile(
    r"(?P<name>\b(?:\w*(?:password|secret|token|api[_-]?key|access[_-]?key|private_?key)"
    r"|passwd|pwd|authorization|cookie)"
    r"[\"']?\s*[=:]\s*(?:(?:bearer|basic)\s+)?)"
    r"(?P<value>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s&;,'\")]+)",
    re.IGNORECASE,
)
# A scheme has an end: without one, a text like `a-a-a-…` is looked at once more from each of its letters.
ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]{0,50}://[^\s'\"<>]+", re.IGNORECASE)
PLACE = re.compile(r"(?<=://)\S+")


def shown(text: object, limit: int | None = LONGEST) -> str:
    r"""Returns a text as one line in which nothing acts on a terminal, a log or a reader's eye.

    Control characters, ESC among them, line ends, marks that turn the direction of writing, characters of no
    width and halves of surrogate pairs become escapes such as `\x1b` or `\u202e`. What is shown once, can be
    shown again and stays as it is: a backslash is left alone.

    Args:
        text: Anything; it is turned into a string.
        limit: How many characters are shown at most; None where something else bounds them.
    """
    whole = str(text)
    if limit is not None and len(whole) > limit:
        whole = whole[: max(limit - 1, 0)] + "…"
    line = whole if whole.isprintable() else "".join(map(_visible, whole))
    return line if limit is None or len(line) <= limit else line[: max(limit - 1, 0)] + "…"


def shown_lines(text: object, limit: int | None = None) -> str:
    """Returns a text of several lines: each as `shown`, and all but the first indented, so none is forged."""
    whole = str(text)
    cut = whole if limit is None or len(whole) <= limit else whole[: limit - 1] + "…"
    return "\n  ".join(shown(line, None) for line in cut.split("\n"))


def shown_on_terminal(text: str) -> str:
    """Returns a text whose lines stay lines, and in which nothing else acts on a terminal."""
    if text.isprintable():
        return text
    return "".join(mark if mark in "\n\t" else _visible(mark) for mark in text.replace("\r\n", "\n"))


def csv_safe(value: object) -> object:
    """Returns a value that a spreadsheet takes for what it is, never for a formula.

    A string that begins as a formula does is given an apostrophe in front, and control characters become
    visible. Numbers stay as they are, also where they come as text: `-5` is no formula. Where a comma is the
    decimal mark, semicolons separate: what follows one begins a cell there, with the quotes before it gone.
    """
    if not isinstance(value, str):
        return value
    begin = value.lstrip(" ")
    is_formula = begin.startswith(FORMULA) and not NUMBER.fullmatch(begin)
    return ("'" if is_formula else "") + shown(LATER_FORMULA.sub("'", value), None)


def masked(name: str, value: object) -> object:
    """Returns a value as a message may repeat it: masked where its name, or its form, is that of a secret.

    Args:
        name: What the value is called, such as a setting's variable.
        value: The value; a mapping keeps its names.
    """
    if isinstance(value, Mapping):
        return {key: MASK if _is_secret(name) else masked(str(key), of) for key, of in value.items()}
    if value is None or isinstance(value, bool | int | float) or value == "":
        return value
    return MASK if _is_secret(name) else masked_text(str(value))


def masked_text(text: str) -> str:
    """Returns a text without the passwords of addresses and connection strings in it."""
    # To the last @: a password may hold any character.
    without_accounts = PLACE.sub(lambda found: found.group().rpartition("@")[2], text)
    addresses = ADDRESS.sub(lambda found: _masked_address(found.group()), without_accounts)
    return ASSIGNED.sub(rf"\g<name>{MASK}", addresses)


def masked_url(url: str, public: Iterable[str] = ()) -> str:
    """Returns an address without an account, and with the names of its parameters but not their values.

    Args:
        url: The address.
        public: Parameters whose values may be seen.
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return MASK
    names = frozenset(public)
    query = "&".join(_masked_pair(pair, names) for pair in parts.query.split("&")) if parts.query else ""
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


class OneLine(logging.Formatter):
    """Writes a record on one line, whatever was logged; a traceback below it is indented.

    Without it, a line end in what a source or a client has sent makes a line that looks like one of ours.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as text."""
        plain = logging.makeLogRecord(
            record.__dict__ | {"exc_info": None, "exc_text": None, "stack_info": None}
        )
        plain.msg, plain.args = shown(record.getMessage(), None), None
        below = [self.formatException(record.exc_info)] if record.exc_info else []
        below += [record.stack_info] if record.stack_info else []
        return "\n  ".join([super().format(plain), *(shown_lines(text) for text in below)])


def log_to_stderr(level: int, form: str) -> None:
    """Sends this process' log to stderr, one line a record. What is set up already stays.

    Args:
        level: The least level that is logged.
        form: As for `logging.Formatter`.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine(form))
    logging.basicConfig(level=level, handlers=[handler])


class TerminalSink:
    """A binary stream to a terminal, through which no control character passes but line ends and tabs."""

    def __init__(self, terminal: BinaryIO) -> None:
        self._terminal, self._rest = terminal, b""

    def write(self, data: bytes) -> int:
        """Writes whole lines; the last one waits for its end."""
        whole, end, self._rest = (self._rest + data).rpartition(b"\n")
        self._terminal.write(self._harmless(whole + end))
        return len(data)

    def flush(self) -> None:
        """Writes what is left."""
        self._terminal.write(self._harmless(self._rest))
        self._rest = b""
        self._terminal.flush()

    def _harmless(self, data: bytes) -> bytes:
        return shown_on_terminal(data.decode(errors="replace")).encode()


def _is_secret(name: str) -> bool:
    """Returns whether a value of this name is a secret; the path of a file that holds one is none."""
    return bool(SECRET_NAME.search(name)) and not name.upper().endswith(("_FILE", "_FOLDER"))


def _visible(mark: str) -> str:
    if mark.isprintable() or unicodedata.category(mark) == "Zs":
        return mark
    code = ord(mark)
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(mark)
    return named or (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def _masked_address(address: str) -> str:
    """Returns an address as a message shows it: with all its slashes, and of what follows its `#` only a
    path."""
    place, _, fragment = address.partition("#")
    masked_place = masked_url(place)
    if place.partition("://")[2].startswith("/") and ":///" not in masked_place:
        masked_place = masked_place.replace(":/", ":///", 1)
    if not fragment or masked_place == MASK:
        return masked_place
    is_path = fragment.startswith("/") and "?" not in place and "=" not in fragment
    return f"{masked_place}#{fragment if is_path else MASK}"


def _masked_pair(pair: str, public: frozenset[str]) -> str:
    name, equals, _ = pair.partition("=")
    return pair if name in public or not equals else f"{name}={MASK}"
