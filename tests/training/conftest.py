"""Small forests, and lakes to learn from."""

from __future__ import annotations

import pytest

from lake.settings import LakeSettings
from tests.training.survey import make_lake, survey
from training.settings import TrainingSettings


@pytest.fixture
def settings(mlflow_url: str, request: pytest.FixtureRequest) -> TrainingSettings:
    """A small forest, and a registered model of the test's own."""
    return small(mlflow_url, request.node.name)


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeSettings:
    """A published lake of 2,500 rows; tests that publish more make their own."""
    return make_lake(tmp_path_factory.mktemp("lake"), survey(2500))


def small(mlflow_url: str, name: str) -> TrainingSettings:
    """Settings for a forest that grows in a moment."""
    return TrainingSettings(
        mlflow_url=mlflow_url,
        model_name=name,
        experiment=name,
        parameters={"trees": 12},
        bootstrap_draws=300,
        n_jobs=1,
        minimum_growth=0,
        _env_file=None,
    )
