"""The OpenAPI document tells the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts.reading import RequestReader
from lake.settings import LakeSettings
from tests.serving.onnx_models import CONTRACT
from tests.serving.services import client_of, settings_in

ERRORS = ("400", "401", "403", "408", "413", "415", "422", "429", "503")


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document as a caller gets it."""
    cache: Path = tmp_path_factory.mktemp("cache")
    client = client_of(settings_in(cache, row_limit=50), LakeSettings(uri=str(cache / "lake")))
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_a_row_shows_unit_bounds_and_enumerations_of_the_contract(document: dict[str, Any]) -> None:
    row = document["components"]["schemas"]["Row"]
    assert row["additionalProperties"] is False
    assert row["required"] == [column.name for column in CONTRACT.features]
    for column in CONTRACT.features:
        shown = row["properties"][column.name]
        assert column.description in shown["description"]
        assert shown.get("x-unit") == column.unit
        assert (shown.get("minimum"), shown.get("maximum")) == (column.minimum, column.maximum)
        assert tuple(shown.get("enum", ())) == column.values


def test_the_examples_are_accepted(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/predictions"]["post"]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        assert RequestReader(CONTRACT, 50).read(example["value"])
    assert document["components"]["schemas"]["Rows"]["properties"]["rows"]["maxItems"] == 50


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    found = list(_references(document))
    assert {"Row", "Rows", "Predictions", "Problem", "ModelCard", "Readiness"} <= {
        reference.rpartition("/")[2] for reference in found
    }
    assert all(reference.rpartition("/")[2] in schemas for reference in found)


def test_every_error_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    responses = document["paths"]["/v1/predictions"]["post"]["responses"]
    assert set(responses) == {"200", *ERRORS}
    for status, response in responses.items():
        kind = "application/json" if status == "200" else "application/problem+json"
        assert list(response["content"]) == [kind]


def _references(value: Any) -> Any:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
