"""What the OpenAPI says is what schemathesis gets: every check, and no 500."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis.engine import events, from_schema
from schemathesis.python.asgi import HOST

from lake.settings import LakeSettings
from serving.http.app import create_app
from serving.settings import ServingSettings
from tests.serving.registry import TestRegistry
from tests.serving.services import bearer

pytestmark = pytest.mark.long
CONFIG = {
    "seed": 1,
    "generation": {"max-examples": 40, "database": "none"},
    # No answer refers to another operation, so there is no chain of them to follow.
    "phases": {"stateful": {"enabled": False}},
}
# To JSON Schema 3.0 is an integer; to the service it is a number that somebody has computed.
WHOLE_AS_FLOAT = re.compile(r'": ?-?\d+\.0[,}]')


def is_excused(check: str, path: str, sent: str) -> bool:
    """Whether a right refusal looks like a wrong one to schemathesis."""
    if check != "positive_data_acceptance":
        return False
    # A file is more than its content type: what is drawn at random is hardly ever one.
    return path.endswith(":batch") or bool(WHOLE_AS_FLOAT.search(sent))


def as_drawn(_: Any, value: Any) -> bytes:
    """A body that schemathesis has no words for, as it was drawn."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


schemathesis.serializer("application/x-ndjson")(as_drawn)
schemathesis.serializer("application/vnd.apache.parquet")(as_drawn)
schemathesis.serializer("application/vnd.apache.arrow.stream")(as_drawn)


def test_every_answer_is_as_described(
    registry: TestRegistry, settings: ServingSettings, lake: LakeSettings, models: dict[str, Path]
) -> None:
    registry.promote(settings.model_name, registry.register(settings.model_name, models["plain"]))
    app = create_app(settings.model_copy(update={"allowed_hosts": HOST}), lake)
    app.state.champion.check()  # else the first requests may come before the model
    headers = bearer(settings.admin_key_file)
    config = schemathesis.config.SchemathesisConfig.from_dict(CONFIG | {"headers": headers})
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
    failed: list[Any] = []
    asked = 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            for case in event.recorder.checks.values():
                asked += len(case)
                failed += [
                    (check.name, event.label, found.failure, found.code_sample)
                    for check in case
                    if (found := check.failure_info)
                    and not is_excused(check.name, event.label, found.code_sample)
                ]
        if isinstance(event, events.NonFatalError):
            failed.append(("error", event.label, event.value, ""))
    assert failed == [], "\n".join(map(str, failed))
    assert asked > 200
