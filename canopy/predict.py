"""Asking the prediction service from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import httpx

from canopy.settings import StackSettings
from canopy.stack.environment import local
from contracts.covertype import covertype
from contracts.errors import PredictionRefused, RowsUnreadable, ServiceUnavailable
from lake.query import run_query

Rows = list[dict[str, Any]]


def rows_from(file: Path | None) -> Rows:
    """Rows of a JSON file (one object or a list of them); without a file, one held-out cell out of gold.

    Raises: RowsUnreadable, NothingPublished.
    """
    if file is None:
        names = ", ".join(column.name for column in covertype().features)
        query = f"select {names} from gold.training_set where split = 'test' order by row_id limit 1"  # noqa: S608
        return run_query(query).records()
    try:
        found = json.loads(sys.stdin.read() if str(file) == "-" else file.read_text())
    except (OSError, ValueError) as error:
        raise RowsUnreadable(file, str(error)) from error
    return found if isinstance(found, list) else [found]


def predict_rows(rows: Rows, settings: StackSettings | None = None) -> dict[str, Any]:
    """The service's answer.

    Raises: PredictionRefused with the service's words; ServiceUnavailable.
    """
    url = local((settings or StackSettings()).serving_port)
    try:
        answer = httpx.post(f"{url}/v1/predictions", json={"rows": rows}, timeout=30)
    except httpx.HTTPError as error:
        raise ServiceUnavailable("The prediction service", url, str(error)) from error
    body: dict[str, Any] = answer.json()
    if answer.is_error:
        raise PredictionRefused(answer.status_code, body)
    return body
