"""What a caller gets for rows inside the contract."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serving.settings import ServingSettings
from tests.serving.onnx_models import CONTRACT, answers, random_rows

ROWS = random_rows(40, seed=5)


@pytest.fixture(scope="module")
def expected(models: dict[str, Path]) -> list[int]:
    """What the plain model answers to the rows."""
    return answers(str(models["plain"]), ROWS)


def test_one_row_gets_one_prediction_that_names_its_model(
    service: TestClient, settings: ServingSettings, expected: list[int]
) -> None:
    reply = service.post("/v1/predictions", json=ROWS[0])
    assert reply.status_code == 200
    body = reply.json()
    assert body["model"] == {"name": settings.model_name, "version": "1", "snapshot_id": "7"}
    assert body["request_id"] == reply.headers["x-request-id"]
    (prediction,) = body["predictions"]
    assert prediction["cover_type"] == expected[0]
    assert prediction["cover_type_name"] == CONTRACT.class_names[expected[0]]
    assert list(prediction["probabilities"]) == list(CONTRACT.class_names)
    assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)

    # Many rows, on the same service: they come back in order, whichever thread answers.
    for count in (1, 3, 40):
        body = service.post("/v1/predictions", json={"rows": ROWS[:count]}).json()
        assert [item["cover_type"] for item in body["predictions"]] == expected[:count]


def test_the_model_is_described_with_scores_features_and_classes(
    service: TestClient, settings: ServingSettings
) -> None:
    card = service.get("/v1/model").json()
    assert (card["name"], card["version"], card["alias"]) == (settings.model_name, "1", "champion")
    assert (card["snapshot_id"], card["contract_version"]) == ("7", CONTRACT.version)
    assert card["scores"] == {
        "macro_f1": 0.91,
        "macro_f1_low": 0.9,
        "macro_f1_high": 0.92,
        "accuracy": 0.95,
    }
    assert [item["name"] for item in card["features"]] == [column.name for column in CONTRACT.features]
    assert card["classes"] == list(CONTRACT.class_names)
    assert service.get("/ready").json()["problem"] is None
    assert service.get("/live").json() == {"status": "live"}


def test_a_callers_request_id_is_kept_if_it_is_plain(service: TestClient) -> None:
    kept = service.post("/v1/predictions", json=ROWS[0], headers={"X-Request-ID": "survey-7.a"})
    assert kept.headers["x-request-id"] == kept.json()["request_id"] == "survey-7.a"
    replaced = service.get("/live", headers={"X-Request-ID": "<script>" * 20})
    assert len(replaced.headers["x-request-id"]) == 32
