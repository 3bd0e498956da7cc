"""Reads a prediction request strictly: every value outside the contract is named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from contracts.covertype import Contract
from contracts.errors import OutsideContract
from contracts.prediction import Reason, Violation, allowed, named, row_type

LISTED_VIOLATIONS = 100
SHOWN_CHARACTERS = 200
LARGEST_SHOWN_INTEGER = 2**53

REASONS: Mapping[str, Reason] = {
    "missing": "missing",
    "extra_forbidden": "unknown",
    "greater_than_equal": "bounds",
    "less_than_equal": "bounds",
    "literal_error": "choice",
}


class RequestReader:
    """Turns the JSON value of a request into rows of the contract.

    Numbers are whole JSON numbers: a float, a boolean or a string of digits is refused, not converted.
    """

    def __init__(self, contract: Contract, row_limit: int) -> None:
        self.row_type = row_type(contract)
        self._allowed = {column.name: allowed(column) for column in contract.features}
        self._rows = TypeAdapter(list[self.row_type])  # type: ignore[name-defined]
        self._row_limit = row_limit

    def read(self, document: object) -> list[dict[str, int | str]]:
        """Returns the rows of a request, each with all features in the contract's order.

        Args:
            document: One row as an object, or `{"rows": [...]}` with 1 to `row_limit` of them.

        Raises: OutsideContract, naming row, field, value and what is allowed.
        """
        rows = self._listed(document) if isinstance(document, dict) and "rows" in document else [document]
        try:
            return [row.__dict__ for row in self._rows.validate_python(rows)]
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False)
            found = [self._violation(detail) for detail in details[:LISTED_VIOLATIONS]]
            raise OutsideContract(named(found), len(details)) from None

    def _listed(self, document: dict[str, object]) -> list[object]:
        rows = document["rows"]
        found = [
            _of_request(name, value, "only the field rows, where rows are sent", "unknown")
            for name, value in document.items()
            if name != "rows"
        ]
        if not isinstance(rows, list):
            found.append(_of_request("rows", rows, f"list of 1 to {self._row_limit} rows", "type"))
        elif not 1 <= len(rows) <= self._row_limit:
            found.append(self._miscounted(len(rows)))
        if found or not isinstance(rows, list):
            raise OutsideContract(named(found[:LISTED_VIOLATIONS]), len(found))
        return rows

    def too_many(self, rows: int) -> OutsideContract:
        """Returns what to say of more rows than one request may hold."""
        return OutsideContract(named([self._miscounted(rows)]), 1)

    def _miscounted(self, rows: int) -> Violation:
        return _of_request("rows", f"{rows} rows", f"list of 1 to {self._row_limit} rows", "count")

    def _violation(self, detail: ErrorDetails) -> Violation:
        position, *path = detail["loc"]
        field = str(path[0]) if path else None
        reason = REASONS.get(detail["type"], "type")
        return Violation(
            row=int(position) + 1,
            field=shown(field),
            value=None if reason == "missing" else shown(detail["input"]),
            allowed=self._allowed_in(field),
            reason=reason,
        )

    def _allowed_in(self, field: str | None) -> str:
        if field in self._allowed:
            return self._allowed[field]
        what = "an object with the fields" if field is None else "only the fields"
        return f"{what} {', '.join(self._allowed)}"


def _of_request(field: str, value: object, allows: str, reason: Reason) -> Violation:
    return Violation(row=None, field=shown(field), value=shown(value), allowed=allows, reason=reason)


def shown(value: Any) -> Any:
    """Returns a value as an error may repeat it: bounded, and valid in every JSON reader."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < LARGEST_SHOWN_INTEGER:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    # Half of a surrogate pair can be sent, and cannot be sent back.
    text = str(value).encode("utf-8", "replace").decode()
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
