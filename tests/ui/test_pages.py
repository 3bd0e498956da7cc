"""Each page in each language, with every part there and with every part away."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lake.bronze.events import Event, record
from lake.objects import open_objects
from lake.settings import LakeSettings
from tests.tabular import people
from tests.ui.conftest import Environment
from tests.ui.parts import ROOT
from tests.ui.small_lake import LIVE_ACCURACY
from tests.ui.stand_ins import registry
from ui.language import LANGUAGES, Texts, texts_of
from ui.reading.landings import landings_before
from ui.reading.pointer import publication
from ui.reading.predictions import LOOK_BACK

PAGE_LINKS = 14 + 6  # each landing, and the pages themselves on a narrow screen
APP = str(ROOT / "ui" / "app.py")


def open_page(page: str, language: str = "en") -> AppTest:
    """The page, run once, in a language."""
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["language"] = LANGUAGES[language]
    show(app, page)
    return app


def show(app: AppTest, page: str) -> None:
    """Goes to a page."""
    app.switch_page(str(ROOT / "ui" / "views" / f"{page}.py")).run()
    assert not app.exception


def press(app: AppTest, label: str) -> None:
    """Presses the button with this label."""
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


def words(app: AppTest) -> str:
    """All that a reader reads."""
    elements = [*app.title, *app.markdown, *app.info, *app.warning, *app.error, *app.success, *app.caption]
    elements += [*app.subheader, *app.header, *app.get("html")]
    return "\n".join(str(getattr(element, "value", None) or element.proto.body) for element in elements)


@pytest.fixture
def with_everything(up: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in up.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def with_nothing(away: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in away.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=LANGUAGES)
def texts(request: pytest.FixtureRequest) -> Texts:
    return texts_of(request.param)


@pytest.mark.usefixtures("with_nothing")
def test_with_everything_away_the_pipeline_says_what_helps(texts: Texts) -> None:
    app = open_page("pipeline", texts.language)
    assert app.title[0].value == texts("pipeline.title")
    shown = words(app)
    for part in ("published", "mlflow", "serving", "airflow"):
        assert texts(f"unavailable.{part}.what") in shown
        assert texts(f"unavailable.{part}.remedy") in shown
    assert "Traceback" not in shown


@pytest.mark.usefixtures("with_nothing")
@pytest.mark.parametrize(
    ("page", "part"),
    [("quality", "published"), ("models", "mlflow"), ("lineage", "published"), ("lake", "published")],
)
def test_with_everything_away_each_page_says_what_helps(texts: Texts, page: str, part: str) -> None:
    app = open_page(page, texts.language)
    assert app.title[0].value == texts(f"{page}.title")
    assert texts(f"unavailable.{part}.remedy") in words(app)


@pytest.mark.usefixtures("with_nothing")
def test_with_everything_away_the_form_is_there_and_says_what_helps(texts: Texts) -> None:
    app = open_page("predict", texts.language)
    assert len(app.number_input) == 10
    press(app, texts("predict.submit"))
    assert texts("unavailable.serving.remedy") in app.warning[0].value
    assert texts("predict.no_presets") in words(app)


@pytest.mark.usefixtures("with_everything")
def test_the_pipeline_shows_the_numbers_at_the_pointer(texts: Texts) -> None:
    app = open_page("pipeline", texts.language)
    shown = words(app)
    assert not app.warning
    for number in (14, 5600, 2000, 3595):
        assert texts.number(number) in shown
    assert texts.number(0.861, 3) in shown
    assert texts.percent(LIVE_ACCURACY) in shown
    for state in ("success", "running", "failed"):
        assert texts(f"run.{state}") in shown
    table = app.dataframe[0].value
    assert table[texts("batch.rows")].sum() == 5600


@pytest.mark.usefixtures("with_everything")
def test_a_run_asks_for_a_sign_in_first(texts: Texts) -> None:
    app = open_page("pipeline", texts.language)
    app.button(key="run_refine").click().run()
    assert texts("run_now.ask") in words(app)
    assert not app.success


@pytest.mark.usefixtures("with_everything")
def test_the_quality_page_shows_the_failed_audit_and_the_rows_kept_apart(texts: Texts) -> None:
    app = open_page("quality", texts.language)
    shown = words(app)
    assert app.metric[0].value == texts("quality.passed_word")
    assert app.metric[1].value == "2 / 3"
    assert "quarantine_share 1 of 3 rows do not fit" in shown
    rows = app.dataframe[-1].value
    assert len(rows) == 5
    app.multiselect[0].select("missing:Slope").run()
    assert set(app.dataframe[-1].value[texts("quality.position")]) == {0, 3}
    assert texts("column.slope_deg") in app.get("vega_lite_chart")[-1].proto.spec


@pytest.mark.usefixtures("with_everything")
def test_the_models_page_shows_the_score_with_its_interval(texts: Texts) -> None:
    app = open_page("models", texts.language)
    assert [metric.value for metric in app.metric] == [
        *(texts.number(value, 3) for value in (0.861, 0.934, 0.02)),
        "400",
    ]
    interval = texts("models.interval", low=texts.number(0.841, 3), high=texts.number(0.879, 3))
    assert app.metric[0].delta == interval
    assert app.dataframe[0].value[texts("models.version")].tolist() == ["3", "2", "1"]
    assert len(app.get("vega_lite_chart")) == 8
    shown = words(app)
    assert "120 MB, at most 100 are allowed" in shown
    assert texts("models.leak_says", excess=texts.number(0.912345 - 0.861, 3)) in shown


@pytest.mark.usefixtures("with_everything")
def test_another_version_is_chosen_by_the_address() -> None:
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["version"] = "2"
    show(app, "models")
    assert app.selectbox(key="chosen_version").value == 2
    assert "macro-F1 0.816; champion 3 has 0.861" in words(app)


@pytest.mark.usefixtures("with_everything")
def test_lineage_leads_from_the_champion_to_the_bytes_of_a_response(texts: Texts, lake: LakeSettings) -> None:
    landing = landings_before(lake, publication(lake).snapshot_id)[0]
    app = open_page("lineage", texts.language)
    assert texts("lineage.choose_landing") in words(app)
    app.query_params["landing"] = landing.landing_id
    app.run()
    assert not app.exception
    assert landing.sha256 in words(app)
    assert len(app.get("page_link")) >= PAGE_LINKS


@pytest.mark.usefixtures("with_everything")
def test_a_request_that_is_not_in_the_log_yet_says_when_it_will_be() -> None:
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["request"] = "no such request"
    app.query_params["version"] = "1"
    show(app, "lineage")
    assert texts_of("en")("lineage.not_logged", days=LOOK_BACK[-1].days) in words(app)
    assert "**Version 1**" in words(app)


@pytest.mark.usefixtures("with_everything")
def test_a_query_is_answered_as_rows_and_a_mistake_is_told(texts: Texts) -> None:
    app = open_page("lake", texts.language)
    app.text_area[0].set_value("select split, count(*) as cells from gold.training_set group by split")
    press(app, texts("lake.run"))
    assert app.dataframe[0].value["cells"].sum() == 2000
    app.text_area[0].set_value("drop table gold.training_set")
    press(app, texts("lake.run"))
    assert texts("lake.writes") in app.error[0].value
    app.text_area[0].set_value("select nothing from gold.training_set")
    press(app, texts("lake.run"))
    assert "nothing" in app.error[0].value


@pytest.mark.usefixtures("with_everything")
def test_a_sent_form_shows_the_cover_type_and_who_answered(texts: Texts) -> None:
    app = open_page("predict", texts.language)
    assert app.number_input(key="cell_0_elevation_m").value == 2596
    press(app, texts("predict.submit"))
    assert app.header[0].value in {texts.cover_type(name) for name in ("Cottonwood/Willow", "Ponderosa Pine")}
    assert "canopy-covertype" in words(app)


@pytest.mark.usefixtures("with_everything")
def test_a_file_is_answered_or_its_row_and_value_are_named(texts: Texts) -> None:
    app, rows = open_page("predict", texts.language), people.cells(12)
    for content, said in (
        (people.as_csv(people.changed(rows, 8, elevation_m="NA"), ";"), "NA"),
        (people.as_csv(people.changed(rows, 8, elevation_m="3.072"), ";"), "3.072"),
    ):
        upload(app, "CELLS.TXT", content.encode("utf-16"))
        assert texts("predict.in_row", row=8, fault="").strip() in app.error[0].value
        assert f" {said}" in app.error[0].value
    upload(app, "cells.csv", people.as_csv([{"Id": 1, "height": 2}]).encode())
    assert "it lacks the columns elevation_m, aspect_deg" in app.error[0].value
    upload(app, "cells.csv.gz", people.packed(people.as_csv(rows, ";", end=";\n").encode()))
    press(app, texts("file.predict", rows=12))
    assert texts("file.done", rows=12, version="3") in words(app)


def upload(app: AppTest, name: str, content: bytes) -> None:
    """Chooses a file."""
    app.file_uploader(key="cells_file").set_value((name, content, "text/csv")).run()
    assert not app.exception


@pytest.mark.usefixtures("with_everything")
def test_a_preset_fills_the_form_with_a_held_out_cell() -> None:
    app = open_page("predict")
    presets = app.selectbox(key="preset")
    assert len(presets.options) > 15
    presets.select(presets.value + 3).run()
    assert app.number_input(key="cell_3_elevation_m").value != 2596
    press(app, texts_of("en")("predict.submit"))
    assert "survey found" in words(app)


@pytest.mark.usefixtures("with_everything")
def test_what_was_sent_survives_another_page_and_another_language() -> None:
    app = open_page("predict")
    app.number_input(key="cell_0_elevation_m").set_value(3000)
    press(app, texts_of("en")("predict.submit"))
    show(app, "models")
    show(app, "predict")
    assert app.number_input(key="cell_0_elevation_m").value == 3000
    app.radio(key="language").set_value("es").run()
    assert app.title[0].value == texts_of("es")("predict.title")
    assert app.number_input(key="cell_0_elevation_m").value == 3000


@pytest.mark.usefixtures("with_everything")
def test_without_a_password_file_the_page_says_how_to_see_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UI_AIRFLOW_PASSWORD_FILE")
    assert "UI_AIRFLOW_PASSWORD_FILE" in words(open_page("pipeline"))


@pytest.mark.usefixtures("with_everything")
def test_before_the_first_training_it_says_to_train(monkeypatch: pytest.MonkeyPatch) -> None:
    with registry(versions=0) as url:
        monkeypatch.setenv("TRAINING_MLFLOW_URL", url)
        assert "canopy train" in open_page("models").info[0].value


@pytest.mark.usefixtures("with_everything")
def test_a_catalog_that_is_no_catalog_is_not_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"not a database, and long enough to be taken for one" * 99)
    monkeypatch.setenv("LAKE_CATALOG", f"sqlite:{path}")
    app = open_page("pipeline")
    assert "canopy doctor" in app.warning[0].value
    assert texts_of("en").number(0.861, 3) in words(app)


@pytest.mark.parametrize(("language", "said"), [("en", "at its end"), ("es", "terminó")])
@pytest.mark.usefixtures("with_nothing")
def test_a_source_that_has_ended_says_so_where_nothing_has_landed(
    language: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = LakeSettings(uri=str(tmp_path / "lake"), catalog=f"sqlite:{tmp_path}/catalog.sqlite")
    monkeypatch.setenv("LAKE_URI", lake.uri)
    monkeypatch.setenv("LAKE_CATALOG", lake.catalog)
    assert said not in words(open_page("pipeline", language))
    record(open_objects(lake), Event("end_of_data", "covertype", 1, datetime.now(UTC), "http://x", "over"))
    assert said in words(open_page("pipeline", language))
