"""What the UI reads of MLflow."""

import pytest

from contracts.errors import ModelMissing, ServiceUnavailable
from tests.ui.stand_ins import SCORES, registry
from ui.reading import scores
from ui.reading.registry import artefact, open_registry
from ui.settings import UiSettings


def test_the_champion_is_the_version_with_the_alias(settings: UiSettings) -> None:
    found = open_registry(settings).champion()
    assert (found.number, found.aliases) == (3, ("champion",))
    assert found.score("macro_f1") == SCORES[3][0]
    assert found.score("no_such_tag") is None


def test_versions_come_newest_first_with_their_aliases(settings: UiSettings) -> None:
    found = open_registry(settings).versions(50)
    assert [(version.number, version.aliases) for version in found] == [
        (3, ("champion",)),
        (2, ("previous",)),
        (1, ()),
    ]


def test_a_version_is_found_by_its_number(settings: UiSettings) -> None:
    found = open_registry(settings).version(2)
    assert (found.number, found.aliases) == (2, ("previous",))
    with pytest.raises(ModelMissing, match="no version 9"):
        open_registry(settings).version(9)


def test_a_run_tells_its_scores_as_training_wrote_them(settings: UiSettings) -> None:
    sheet = scores.score_sheet(settings, open_registry(settings).champion())
    assert sheet is not None
    assert (sheet.recalls[0].name, sheet.recalls[0].value) == ("Spruce/Fir", 0.93)
    assert sheet.confusion[0][0] == 2139 + 23
    assert sheet.random_split is not None
    assert (sheet.random_split.seen_rows, sheet.random_split.test_rows) == (1234, 2000)
    assert len(sheet.bins) == 10


def test_what_a_model_hangs_on_comes_greatest_first(settings: UiSettings) -> None:
    found = scores.importances(settings, open_registry(settings).champion()) or []
    assert [item.name for item in found][:2] == ["elevation_m", "aspect_deg"]
    assert len(found) == 12


def test_the_gate_tells_each_criterion(settings: UiSettings) -> None:
    found = scores.criteria(open_registry(settings).champion())
    assert [(item.name, item.passed) for item in found] == [("macro_f1", True), ("size", False)]


def test_the_card_comes_without_its_pictures(settings: UiSettings) -> None:
    assert "![" not in (scores.card(settings, open_registry(settings).champion()) or "![")


def test_a_missing_file_is_none(settings: UiSettings) -> None:
    assert artefact(settings, "run", "nothing.json") is None


def test_without_a_registered_model_it_says_to_train() -> None:
    with registry(versions=0) as url:
        empty = open_registry(UiSettings(mlflow_url=url))
        for read in (empty.champion, lambda: empty.versions(50)):
            with pytest.raises(ModelMissing, match="canopy train"):
                read()


def test_mlflow_away_is_named(nowhere: UiSettings) -> None:
    away = open_registry(nowhere)
    for read in (away.champion, lambda: away.versions(50)):
        with pytest.raises(ServiceUnavailable, match="MLflow"):
            read()


def test_another_program_on_mlflows_port_is_not_mistaken_for_it(airflow_url: str) -> None:
    with pytest.raises(ServiceUnavailable, match="MLflow"):
        open_registry(UiSettings(mlflow_url=airflow_url)).champion()
