"""What the UI reads of MLflow."""

import pytest

from contracts.errors import ModelMissing, ServiceUnavailable
from tests.ui.stand_ins import SCORES, registry
from ui.registry import champion, picture, run_metrics, versions
from ui.settings import UiSettings


def test_the_champion_is_the_version_with_the_alias(settings: UiSettings) -> None:
    found = champion(settings)
    assert (found.number, found.aliases) == (3, ("champion",))
    assert found.score("macro_f1") == SCORES[3][0]
    assert found.score("no_such_tag") is None


def test_versions_come_newest_first_with_their_aliases(settings: UiSettings) -> None:
    found = versions(settings)
    assert [(version.number, version.aliases) for version in found] == [
        (3, ("champion",)),
        (2, ("previous",)),
        (1, ()),
    ]


def test_a_run_tells_its_metrics_and_its_picture(settings: UiSettings) -> None:
    run_id = champion(settings).run_id
    assert run_metrics(settings, run_id)["recall_spruce_fir"] == 0.93
    image = picture(settings, run_id, "confusion_matrix.png")
    assert image is not None
    assert image.startswith(b"\x89PNG")


def test_a_missing_picture_is_none(airflow_url: str) -> None:
    assert picture(UiSettings(mlflow_url=airflow_url), "run", "confusion_matrix.png") is None


def test_without_a_registered_model_it_says_to_train() -> None:
    with registry(versions=0) as url:
        for read in (champion, versions):
            with pytest.raises(ModelMissing, match="canopy train"):
                read(UiSettings(mlflow_url=url))


def test_mlflow_away_is_named(nowhere: UiSettings) -> None:
    for read in (champion, versions):
        with pytest.raises(ServiceUnavailable, match="MLflow"):
            read(nowhere)


def test_another_program_on_mlflows_port_is_not_mistaken_for_it(airflow_url: str) -> None:
    with pytest.raises(ServiceUnavailable, match="MLflow"):
        champion(UiSettings(mlflow_url=airflow_url))
