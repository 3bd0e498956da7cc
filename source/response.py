"""From a response's bytes to a batch of rows, or to what does not fit the contract.

Only the form is judged here. A single bad value (out of range, an unknown soil, an empty cell) is a
row's matter: it lands, and silver quarantines it with its reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import msgspec

from contracts.covertype import covertype
from source.adapters import (
    SHAPES,
    Adapter,
    Row,
    contract_labels,
    form_difference,
    is_adapter,
    label_difference,
    read_rows,
    rows_difference,
    text_difference,
)
from source.difference import Difference, keys_apart, kind, listed, shown

KEYS = ("group_number", "batch_number", "data")
# What rows as objects may come with beside `data`.
OPTIONAL_KEYS = ("group_number", "batch_number", "day")
LARGEST_BATCH_NUMBER = 2**31 - 1  # bronze keeps it in 32 bits
# Broken JSON within this many characters of its end was most likely cut there.
CUT_MARGIN = 8


@dataclass(frozen=True)
class Batch:
    """A response that can be landed.

    Attributes:
        group_number: The group that was asked for.
        batch_number: A label only: rows of one group come from one slice, whatever this number.
            0 where rows come as objects and the response names none.
        rows: Values as the source wrote them, shape (n_rows, 13), in the contract's order and coding.
    """

    group_number: int
    batch_number: int
    rows: list[Row]


def parse(body: bytes, group: int, adapter: str = "none") -> Batch | Difference:
    """Reads a response of `/data`; never raises, whatever the bytes are.

    Args:
        body: The response, byte for byte.
        group: The group that was asked for.
        adapter: The form that the source's responses have, one of `source.adapters.Adapter`; a string, for it
            is read from what was stored, perhaps by a later version.
    """
    if not is_adapter(adapter):
        return Difference(f"it was asked for with the adapter {shown(adapter)}, which is not known here")
    try:
        read = _read(body, group, adapter)
        if isinstance(read, Difference):
            return read
        found = label_difference(read.rows, adapter)
        return Difference(found) if found else replace(read, rows=contract_labels(read.rows, adapter))
    except MemoryError:
        return Difference(f"it takes more memory than there is to read its {len(body)} bytes")


def _read(body: bytes, group: int, adapter: Adapter) -> Batch | Difference:
    at_once = _read_at_once(body, group) if SHAPES[adapter] == "coded" else None
    return at_once or _read_step_by_step(body, group, adapter)


def _read_at_once(body: bytes, group: int) -> Batch | None:
    """Returns a response without any difference, in a third of the time; None where each step has to be
    looked at."""
    try:
        envelope = _decoder().decode(body)
    except (ValueError, RecursionError):
        return None
    if not envelope.data or _numbers_difference(envelope.group_number, envelope.batch_number, group):
        return None
    return Batch(envelope.group_number, envelope.batch_number, envelope.data)


@lru_cache(maxsize=1)
def _decoder() -> Any:
    width = len(covertype().columns)
    row_type: Any = tuple.__class_getitem__((str,) * width)
    fields = [("group_number", Any), ("batch_number", Any), ("data", list[row_type])]
    envelope = msgspec.defstruct("Envelope", fields, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(envelope)


def _read_step_by_step(body: bytes, group: int, adapter: Adapter) -> Batch | Difference:
    content = _decoded(body)
    if isinstance(content, Difference):
        return content
    found = _undeclared_form(content, adapter) or _envelope_difference(content, group, adapter)
    if found:
        return Difference(found)
    if isinstance(content, list):
        content = {"data": content}
    data = content["data"]
    if found := rows_difference(data, adapter):
        return Difference(found)
    rows = read_rows(data, adapter)
    if found := text_difference(rows):
        return Difference(found)
    return Batch(group, content.get("batch_number", 0), rows)


def _decoded(body: bytes) -> Any:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        return Difference(f"it is not UTF-8 text, at byte {error.start} of {len(body)}")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        return Difference(_json_difference(text, error))
    except (ValueError, RecursionError) as error:
        return Difference(f"it is JSON that cannot be read: {error}")


def _json_difference(text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return "it is empty"
    is_at_end = error.pos >= len(text) - CUT_MARGIN or error.msg.startswith("Unterminated string")
    if text.lstrip()[0] in "{[" and is_at_end:
        return f"it is cut short: the JSON breaks off after {len(text)} characters, with {text[-40:]!r}"
    return f"it is not JSON ({error.msg} at character {error.pos}); it begins with {text[:60]!r}"


def _undeclared_form(content: Any, adapter: Adapter) -> str | None:
    """Looks at the form before the envelope is: the form of the rows explains what is unusual there."""
    data = content.get("data") if isinstance(content, dict) else content
    return form_difference(data, adapter) if isinstance(data, list) and data else None


def _envelope_difference(content: Any, group: int, adapter: Adapter) -> str | None:
    if adapter == "objects":
        return _loose_envelope_difference(content, group)
    if isinstance(content, list):
        return f"it is a bare list of {len(content)} items, not an object with the keys {listed(KEYS)}"
    if not isinstance(content, dict):
        return f"it is {kind(content)}, not an object with the keys {listed(KEYS)}"
    if apart := keys_apart(list(content), KEYS):
        return f"its keys are not {listed(KEYS)}: it comes {apart}"
    return _numbers_difference(content["group_number"], content["batch_number"], group) or _data_difference(
        content["data"]
    )


def _loose_envelope_difference(content: Any, group: int) -> str | None:
    if isinstance(content, list):
        return _data_difference(content)
    if not isinstance(content, dict):
        return f"it is {kind(content)}, not a list of objects or an object with the key 'data'"
    expected = ["data", *(key for key in OPTIONAL_KEYS if key in content)]
    if apart := keys_apart(list(content), expected):
        return f"its keys are not 'data' and perhaps {listed(OPTIONAL_KEYS)}: it comes {apart}"
    numbers = content.get("group_number", group), content.get("batch_number", 0)
    return _numbers_difference(*numbers, group) or _data_difference(content["data"])


def _data_difference(data: Any) -> str | None:
    if not isinstance(data, list):
        return f"`data` is {kind(data)}, not a list of rows"
    return None if data else "it has no rows"


def _numbers_difference(group_number: Any, batch_number: Any, group: int) -> str | None:
    if type(group_number) is not int or group_number != group:
        return f"`group_number` is {shown(group_number)}, and group {group} was asked for"
    if type(batch_number) is not int or not 0 <= batch_number <= LARGEST_BATCH_NUMBER:
        return f"`batch_number` is {shown(batch_number)}, not a number from 0"
    return None
