"""docs/api.md says what the service does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined
from starlette.testclient import TestClient

from contracts.covertype import covertype
from contracts.prediction import Problem, example_row, reply_type
from deploy.settings_classes import own_fields
from lake.settings import LakeSettings
from serving.http.problems import KINDS
from serving.settings import ServingSettings
from tests.serving.services import client_of, settings_in

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
ROW_SHOWN = re.search(r"-d '(\{.*?\})'", PAGE, re.DOTALL)
BLOCKS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A service without a model."""
    folder = tmp_path_factory.mktemp("cache")
    return client_of(settings_in(folder), LakeSettings(uri=str(folder / "lake")))


def test_every_path_and_every_problem_is_listed(client: TestClient) -> None:
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in PAGE
    for status, kind in KINDS.items():
        assert f"| {status.value} | `urn:canopy:problem:{kind}` |" in PAGE


def test_every_setting_is_listed_with_its_default() -> None:
    for name, field in own_fields(ServingSettings).items():
        assert field.default is not PydanticUndefined
        shown = f"{field.default:g}" if isinstance(field.default, float) else str(field.default or "")
        default = f"`{shown}`" if shown else "unset"
        assert f"| `{field.validation_alias or f'SERVING_{name.upper()}'}` | {default} |" in PAGE


def test_the_row_shown_is_the_example_and_the_replies_are_replies(client: TestClient) -> None:
    assert ROW_SHOWN is not None
    assert json.loads(ROW_SHOWN[1]) == example_row(covertype())
    predictions, problem, _ = BLOCKS
    reply_type(covertype()).model_validate(predictions)
    Problem.model_validate(problem)
    sent = {**example_row(covertype()), "slope_deg": 110}
    headers = {"X-Request-ID": problem["request_id"]}
    assert client.post("/v1/predictions", json=sent, headers=headers).json() == problem
