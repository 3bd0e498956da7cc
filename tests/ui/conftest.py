"""The parts that the UI reads: up, or all away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.publish.pointer import latest
from lake.settings import LakeSettings
from tests.ui.parts import free_port, serving
from tests.ui.small_lake import make_lake
from tests.ui.stand_ins import PASSWORDS, registry, scheduler
from ui.settings import UiSettings

Environment = dict[str, str]


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeSettings:
    """A published lake; tests that write make their own."""
    return make_lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="session")
def mlflow_url(lake: LakeSettings) -> Iterator[str]:
    """A registry with three versions that learned from what the lake has published."""
    publication = latest(lake)
    assert publication is not None
    with registry(snapshot_id=publication.snapshot_id) as url:
        yield url


@pytest.fixture(scope="session")
def airflow_url() -> Iterator[str]:
    """A scheduler with runs."""
    with scheduler() as url:
        yield url


@pytest.fixture(scope="session")
def serving_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the prediction service keeps its model, its log and its keys."""
    return tmp_path_factory.mktemp("serving")


@pytest.fixture(scope="session")
def serving_url(serving_folder: Path) -> Iterator[str]:
    """The real prediction service with a model."""
    with serving(serving_folder) as url:
        yield url


@pytest.fixture(scope="session")
def passwords(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that SimpleAuthManager writes."""
    path = tmp_path_factory.mktemp("airflow") / "passwords.json"
    path.write_text(json.dumps(PASSWORDS), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def up(
    lake: LakeSettings,
    mlflow_url: str,
    airflow_url: str,
    serving_url: str,
    serving_folder: Path,
    passwords: Path,
) -> Environment:
    """The environment in which every part is there."""
    return {
        "LAKE_URI": lake.uri,
        "LAKE_CATALOG": lake.catalog,
        "TRAINING_MLFLOW_URL": mlflow_url,
        "UI_AIRFLOW_URL": airflow_url,
        "UI_AIRFLOW_PASSWORD_FILE": str(passwords),
        "UI_SERVING_URL": serving_url,
        "UI_SERVING_KEY_FILE": str(serving_folder / "predict.key"),
    }


@pytest.fixture(scope="session")
def away(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The environment in which no part is there."""
    folder, nobody = tmp_path_factory.mktemp("away"), f"http://127.0.0.1:{free_port()}"
    return {
        "LAKE_URI": str(folder / "lake"),
        "LAKE_CATALOG": f"sqlite:{folder}/catalog.sqlite",
        "TRAINING_MLFLOW_URL": nobody,
        "UI_AIRFLOW_URL": nobody,
        "UI_SERVING_URL": nobody,
    }


@pytest.fixture
def settings(
    mlflow_url: str, airflow_url: str, serving_url: str, serving_folder: Path, passwords: Path
) -> UiSettings:
    """The UI's settings with every part there."""
    return UiSettings(
        mlflow_url=mlflow_url,
        airflow_url=airflow_url,
        serving_url=serving_url,
        serving_key_file=serving_folder / "predict.key",
        airflow_password_file=passwords,
    )


@pytest.fixture
def nowhere() -> UiSettings:
    """The UI's settings with every part away."""
    nobody = f"http://127.0.0.1:{free_port()}"
    return UiSettings(mlflow_url=nobody, airflow_url=nobody, serving_url=nobody)
