"""What the UI reads of MLflow."""

import pytest

from contracts.errors import ModelMissing, ServiceUnavailable
from tests.ui.stand_ins import SCORES, registry
from ui.reading import scores
from ui.reading.registry import artefact, champion, version, versions
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


def test_a_version_is_found_by_its_number(settings: UiSettings) -> None:
    assert (version(settings, 2).number, version(settings, 2).aliases) == (2, ("previous",))
    with pytest.raises(ModelMissing, match="no version 9"):
        version(settings, 9)


def test_a_run_tells_its_scores_as_training_wrote_them(settings: UiSettings) -> None:
    sheet = scores.score_sheet(settings, champion(settings))
    assert sheet is not None
    assert (sheet.recalls[0].name, sheet.recalls[0].value) == ("Spruce/Fir", 0.93)
    assert sheet.confusion[0][0] == 2139 + 23
    assert sheet.naive is not None
    assert (sheet.naive.seen_rows, sheet.naive.test_rows) == (1234, 2000)
    assert len(sheet.bins) == 10


def test_what_a_model_hangs_on_comes_greatest_first(settings: UiSettings) -> None:
    found = scores.importances(settings, champion(settings)) or []
    assert [item.name for item in found][:2] == ["elevation_m", "aspect_deg"]
    assert len(found) == 12


def test_the_gate_tells_each_criterion(settings: UiSettings) -> None:
    found = scores.criteria(champion(settings))
    assert [(item.name, item.passed) for item in found] == [("macro_f1", True), ("size", False)]


def test_the_card_comes_without_its_pictures(settings: UiSettings) -> None:
    assert "![" not in (scores.card(settings, champion(settings)) or "![")


def test_a_missing_file_is_none(settings: UiSettings) -> None:
    assert artefact(settings, "run", "nothing.json") is None


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
