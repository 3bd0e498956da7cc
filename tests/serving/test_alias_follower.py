"""The service follows the champion, and a bad model never replaces a good one."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serving.settings import ServingSettings
from tests.serving.conftest import OpenService
from tests.serving.onnx_models import answers, random_rows
from tests.serving.registry import Door, TestRegistry, free_port, wait_until

ROWS = random_rows(5, seed=8)


def version_of(client: TestClient) -> str:
    """The version that answers."""
    return str(client.post("/v1/predictions", json=ROWS[0]).json()["model"]["version"])


def problem_of(client: TestClient) -> str:
    """Why the alias is not followed, or nothing."""
    return client.get("/ready").json()["problem"] or ""


def test_a_champion_that_appears_is_served_without_a_restart(
    open_service: OpenService, registry: TestRegistry, settings: ServingSettings, models: dict[str, Path]
) -> None:
    client = open_service(settings)
    assert "no version bears the alias 'champion'" in client.get("/ready").json()["detail"]
    assert client.post("/v1/predictions", json=ROWS[0]).status_code == 503
    version = registry.register(settings.model_name, models["plain"])
    registry.promote(settings.model_name, version)
    wait_until(lambda: client.get("/ready").status_code == 200)
    assert version_of(client) == version


def test_the_alias_is_followed_there_and_back(
    service: TestClient, registry: TestRegistry, settings: ServingSettings, models: dict[str, Path]
) -> None:
    second = registry.register(settings.model_name, models["shifted"])
    for version, kind in ((second, "shifted"), ("1", "plain")):
        registry.promote(settings.model_name, version)
        wait_until(lambda version=version: version_of(service) == version)  # type: ignore[misc]
        reply = service.post("/v1/predictions", json={"rows": ROWS}).json()
        found = [item["cover_type"] for item in reply["predictions"]]
        assert found == answers(str(models[kind]), ROWS)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("golden_wrong", "answers 20 of its 20 golden requests differently"),
        ("without_soil", "soil_type is missing"),
        ("not_onnx", "does not load it"),
    ],
)
def test_a_broken_model_is_refused_and_the_old_one_stays(
    service: TestClient,
    registry: TestRegistry,
    settings: ServingSettings,
    models: dict[str, Path],
    kind: str,
    reason: str,
) -> None:
    registry.promote(settings.model_name, registry.register(settings.model_name, models[kind]))
    wait_until(lambda: reason in problem_of(service))
    assert version_of(service) == "1"
    assert reason in problem_of(service)
    # Asked again by hand, it is tried again, and refused again.
    assert service.post("/v1/model:reload").json()["version"] == "1"
    assert reason in problem_of(service)
    # A good version ends the problem.
    good = registry.register(settings.model_name, models["shifted"])
    registry.promote(settings.model_name, good)
    wait_until(lambda: version_of(service) == good)
    assert problem_of(service) == ""


def test_an_alias_that_is_taken_away_leaves_the_model_in_place(
    service: TestClient, registry: TestRegistry, settings: ServingSettings
) -> None:
    registry.demote(settings.model_name)
    wait_until(lambda: "no version bears the alias" in problem_of(service))
    assert version_of(service) == "1"


def test_without_mlflow_the_service_keeps_answering_and_says_so(
    open_service: OpenService, registry: TestRegistry, settings: ServingSettings, models: dict[str, Path]
) -> None:
    door = Door(registry.url)
    registry.promote(settings.model_name, registry.register(settings.model_name, models["plain"]))
    client = open_service(settings.model_copy(update={"mlflow_url": door.url}))
    assert version_of(client) == "1"
    door.shut()
    wait_until(lambda: "does not answer" in problem_of(client))
    assert version_of(client) == "1"
    # And it starts again from its cache while MLflow is still away.
    away = settings.model_copy(update={"mlflow_url": f"http://127.0.0.1:{free_port()}"})
    again = open_service(away)
    wait_until(lambda: again.get("/ready").status_code == 200)
    assert version_of(again) == "1"
    wait_until(lambda: "does not answer" in problem_of(again))


def test_a_damaged_cache_is_not_served(
    open_service: OpenService, service: TestClient, settings: ServingSettings
) -> None:
    (file,) = settings.cache.rglob("model.onnx")
    file.write_bytes(b"cut short")
    away = settings.model_copy(update={"mlflow_url": f"http://127.0.0.1:{free_port()}"})
    client = open_service(away)
    wait_until(lambda: "MLflow" in client.get("/ready").json()["detail"])
    assert client.post("/v1/predictions", json=ROWS[0]).status_code == 503
    # With MLflow back it is fetched again.
    back = open_service(settings)
    wait_until(lambda: back.get("/ready").status_code == 200)
    assert version_of(back) == "1"


def test_a_registry_that_counts_anew_is_not_mistaken_for_the_old_one(
    open_service: OpenService, service: TestClient, settings: ServingSettings
) -> None:
    (note,) = settings.cache.rglob("champion.json")
    stale = note.read_text().replace('"created_at_ms": ', '"created_at_ms": 1')
    note.write_text(stale)
    client = open_service(settings)
    wait_until(lambda: client.get("/ready").status_code == 200)
    assert note.read_text() != stale
