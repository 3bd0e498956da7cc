"""What the UI reads of Airflow."""

from pathlib import Path

import pytest

from contracts.errors import ServiceUnavailable, SettingsInvalid
from ui.reading.runs import last_runs
from ui.settings import UiSettings


def test_the_last_run_of_each_dag_is_told_in_the_order_of_the_way(settings: UiSettings) -> None:
    runs = last_runs(settings) or []
    assert [(run.dag, run.state) for run in runs] == [
        ("collect", "success"),
        ("refine", "running"),
        ("train", "failed"),
        ("maintain", None),
    ]
    assert runs[0].duration_s == pytest.approx(2.4)
    assert runs[1].duration_s is None


def test_health_needs_no_sign_in(airflow_url: str, nowhere: UiSettings) -> None:
    assert last_runs(UiSettings(airflow_url=airflow_url)) is None
    with pytest.raises(ServiceUnavailable, match="Airflow"):
        last_runs(nowhere)


def test_a_wrong_password_is_said_to_be_refused(settings: UiSettings, tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    path.write_text('{"admin": "another"}')
    with pytest.raises(ServiceUnavailable, match="401"):
        last_runs(settings.model_copy(update={"airflow_password_file": path}))


@pytest.mark.parametrize("content", [None, "not JSON", "[]", '{"somebody": "else"}'])
def test_a_password_file_without_the_user_is_a_setting_to_correct(
    settings: UiSettings, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "passwords.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsInvalid, match="UI_AIRFLOW_PASSWORD_FILE"):
        last_runs(settings.model_copy(update={"airflow_password_file": path}))
