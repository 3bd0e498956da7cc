"""Asking the prediction service from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from canopy.client import PredictionClient
from canopy.settings import StackSettings
from canopy.stack.environment import local
from contracts.covertype import covertype
from contracts.errors import RowsUnreadable
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
    with open_client(settings) as client:
        return client.predict(rows).model_dump(mode="json")


def open_client(settings: StackSettings | None = None) -> PredictionClient:
    """A client of this stack's service, with the key that the service has written for this machine."""
    settings = settings or StackSettings()
    try:
        key = settings.key_file.expanduser().read_text().strip()
    except OSError:
        key = ""  # the service itself says what is missing
    return PredictionClient(local(settings.serving_port), key)
