"""A registry, models, and a service that follows them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from lake.settings import LakeSettings
from serving.settings import ServingSettings
from tests.serving.onnx_models import build_model

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from tests.serving.registry import TestRegistry, wait_until
from tests.serving.services import client_of, settings_in

OpenService = Callable[..., TestClient]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MLflow and skl2onnx warn about themselves when they are imported and used."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for module in ("mlflow", "skl2onnx", "onnx", "pydantic", "google"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore:::{module}"))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model files by what is particular about them; `plain` and `shifted` never answer alike."""
    folder = tmp_path_factory.mktemp("models")
    not_onnx = folder / "not_onnx" / "model.onnx"
    not_onnx.parent.mkdir()
    not_onnx.write_bytes(b"\x80\x04\x95 this was pickled")
    return {
        "plain": build_model(folder / "plain" / "model.onnx"),
        "shifted": build_model(folder / "shifted" / "model.onnx", shift=1),
        "golden_wrong": build_model(folder / "golden_wrong" / "model.onnx", golden_wrong=True),
        "without_soil": build_model(folder / "without_soil" / "model.onnx", without_input="soil_type"),
        "not_onnx": not_onnx,
    }


@pytest.fixture(scope="session")
def registry(mlflow_url: str) -> TestRegistry:
    """The MLflow server of all tests; each test has a model name of its own."""
    return TestRegistry(mlflow_url)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A registered model's name that no other test uses."""
    return str(request.node.name)[:80].translate(str.maketrans("[]/:", "----"))


@pytest.fixture
def settings(registry: TestRegistry, name: str, tmp_path: Path) -> ServingSettings:
    """Settings of a service that looks often."""
    return settings_in(tmp_path, mlflow_url=registry.url, model_name=name, poll_s=0.1)


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    """An empty lake that predictions are shipped to."""
    return LakeSettings(uri=str(tmp_path / "lake"), catalog=f"sqlite:{tmp_path}/catalog.sqlite")


@pytest.fixture
def open_service(lake: LakeSettings) -> Iterator[OpenService]:
    """Opens a service for as long as the test runs, and waits until it has looked for its champion."""
    opened: list[TestClient] = []

    def open_with(settings: ServingSettings) -> TestClient:
        client = client_of(settings, lake)
        opened.append(client.__enter__())
        wait_until(lambda: "looked up" not in client.get("/ready").text)
        return client

    yield open_with
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def service(
    open_service: OpenService, registry: TestRegistry, settings: ServingSettings, models: dict[str, Path]
) -> TestClient:
    """A service with the plain model as champion."""
    registry.promote(settings.model_name, registry.register(settings.model_name, models["plain"]))
    return open_service(settings)
