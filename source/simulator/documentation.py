"""What the simulator's OpenAPI says of its answers, beside what FastAPI finds out by itself."""

from __future__ import annotations

from typing import Any, get_args

from contracts.covertype import covertype
from source import one_hot
from source.simulator.counters import GROUPS
from source.simulator.editions import Edition
from source.simulator.forms import FORMS_WITH_A_DAY, Day, Form

Documented = dict[int | str, dict[str, Any]]
TEXT = {"type": "string"}
TOO_FEW_ROWS = "Too few rows are left for the sample: group 10's slice."
NO_COUNTER = "The group is let in, and there is no such group: 11."


def of_data(edition: Edition, form: Form) -> Documented:
    """Returns the answers of `/data`."""
    return {
        200: _json("A sample of the group's rows.", _batch(form)),
        400: _json(
            "The end of data, or no such group." if edition.bad_group else "The end of data.",
            _detail(edition.end, edition.bad_group),
        ),
        500: _broken(f"{TOO_FEW_ROWS} {NO_COUNTER}" if _lets_in_too_many(edition) else TOO_FEW_ROWS),
    }


def of_restart(edition: Edition) -> Documented:
    """Returns the answers of `/restart_data_generation`."""
    done = {"type": "array", "items": {"const": "ok"}, "minItems": 1, "maxItems": 1}
    answers: Documented = {200: _json("The group is at its beginning again.", done)}
    if edition.bad_group:
        answers[400] = _json("No such group.", _detail(edition.bad_group))
    if _lets_in_too_many(edition):
        answers[500] = _broken(NO_COUNTER)
    return answers


def _lets_in_too_many(edition: Edition) -> bool:
    return edition.last > GROUPS


def _batch(form: Form) -> dict[str, Any]:
    rows = {"type": "array", "items": _row(form)}
    if form == "bare_objects":
        return rows
    numbers = {name: {"type": "integer", "minimum": 1} for name in ("group_number", "batch_number")}
    day = {"day": {"enum": list(get_args(Day))}} if form in FORMS_WITH_A_DAY else {}
    return _object({**numbers, **day, "data": rows})


def _row(form: Form) -> dict[str, Any]:
    if form in FORMS_WITH_A_DAY:
        return _object({column.source_name: TEXT for column in covertype().columns})
    width = one_hot.width() if form == "one_hot" else len(covertype().columns)
    return {"type": "array", "items": TEXT, "minItems": width, "maxItems": width}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    required = list(properties)
    return {
        "type": "object", "properties": properties, "required": required, "additionalProperties": False,
    }  # fmt: skip


def _detail(*sentences: str | None) -> dict[str, Any]:
    return _object({"detail": {"enum": [sentence for sentence in sentences if sentence]}})


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _broken(why: str) -> dict[str, Any]:
    return {"description": why, "content": {"text/plain": {"schema": {"const": "Internal Server Error"}}}}
