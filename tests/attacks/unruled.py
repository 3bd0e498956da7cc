"""The page's process as it would be if every rule in words were missing: for what must hold without them."""

from __future__ import annotations

import json

from lake.catalog.connection import attach_statement, attach_to
from lake.read.confined import CONNECTION, _lock, _settings


def run(argument: bytes) -> bytes:
    """Runs whatever it is told, with nothing in between but what was taken from the process."""
    given = json.loads(argument)
    settings = _settings(given)
    attach_to(CONNECTION, settings, attach_statement(settings, snapshot_id=given["snapshot_id"]))
    if given["is_locked"]:
        _lock(settings, given["files"])
    said = []
    for query in given["queries"]:
        try:
            said.append(str(CONNECTION.execute(query).fetchall())[:1_000])
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}")
    return json.dumps(said).encode()
