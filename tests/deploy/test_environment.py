"""What a person sets wins over what the stack would choose."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from contracts.errors import SettingsInvalid
from contracts.stack_settings import PROJECT, StackSettings
from deploy.local.environment import stack_environment
from deploy.local.launch import check_start
from deploy.secrets import load_secrets
from deploy.settings_check import check_settings
from deploy.settings_classes import setting_names

SETTING = re.compile(r"#?[A-Z][A-Z0-9_]*=")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackSettings:
    monkeypatch.chdir(tmp_path)
    for name in ("LAKE_URI", "SERVING_PORT", "SOURCE_URL"):
        monkeypatch.delenv(name, raising=False)
    return StackSettings(home=tmp_path / "home", _env_file=None)


def test_rooms_lie_below_the_home_folder(settings: StackSettings) -> None:
    assert stack_environment(settings)["LAKE_URI"] == str(settings.folder / "lake")


def test_the_env_file_wins_over_the_stack_and_the_environment_over_both(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("LAKE_URI=/from-the-file\nSERVING_PORT=9001\n")
    monkeypatch.setenv("SERVING_PORT", "9002")
    environment = stack_environment(settings)
    assert environment["LAKE_URI"] == "/from-the-file"
    assert environment["SERVING_PORT"] == "9002"


@pytest.mark.parametrize("nothing", ["", " ", "\t "])
def test_an_empty_value_hides_no_line_of_the_file(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch, nothing: str
) -> None:
    Path(".env").write_text("LAKE_URI=/from-the-file\n")
    monkeypatch.setenv("LAKE_URI", nothing)
    assert stack_environment(settings)["LAKE_URI"] == "/from-the-file"


@pytest.mark.parametrize("place", ["the file", "the environment"])
@pytest.mark.parametrize("nothing", ["", " "])
def test_an_empty_value_of_any_setting_changes_nothing_for_the_parts(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch, place: str, nothing: str
) -> None:
    usual = stack_environment(settings)
    for name in setting_names() - {"CANOPY_HOME"}:
        monkeypatch.delenv(name, raising=False)
        if place == "the environment":
            monkeypatch.setenv(name, nothing)
    if place == "the file":
        Path(".env").write_text("".join(f"{name}={nothing}\n" for name in sorted(setting_names())))
    assert stack_environment(settings) == usual


@pytest.mark.parametrize(
    ("name", "value", "instead"),
    [
        ("SERVING_PORT", "9002", "CANOPY_SERVING_PORT"),
        ("SIMULATOR_PORT", "9002", "CANOPY_SOURCE_PORT"),
        ("SIMULATOR_WINDOW_S", "60", "CANOPY_WINDOW_S"),
        ("SIMULATOR_ROWS", "other.csv", "CANOPY_ROWS or --rows"),
    ],
)
@pytest.mark.parametrize("is_line", [True, False])
def test_a_part_that_would_be_moved_from_its_place_is_named_before_anything_starts(
    settings: StackSettings,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    instead: str,
    is_line: bool,
) -> None:
    if is_line:
        Path(".env").write_text(f"{name}={value}\n")
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid, match=f"{name}.*{instead}"):
        check_start(settings)
    assert not settings.folder.exists()


def test_what_says_the_same_twice_stops_nothing(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch, survey: Path
) -> None:
    monkeypatch.setenv("SERVING_PORT", str(settings.serving_port))
    monkeypatch.setenv("SIMULATOR_WINDOW_S", "300")
    monkeypatch.setenv("SIMULATOR_ROWS", str(survey))
    check_start(settings.model_copy(update={"rows": survey}))


def test_airflow_shows_its_description_to_nobody_on_either_stack(settings: StackSettings) -> None:
    containers = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]
    for environment in (stack_environment(settings), containers["airflow-api"]["environment"]):
        assert environment["AIRFLOW__API__ENABLE_SWAGGER_UI"] == "False"


def test_secrets_are_made_once_for_their_owner_only(settings: StackSettings) -> None:
    environment = stack_environment(settings)
    first = load_secrets(settings.folder)
    stack_environment(settings)
    assert load_secrets(settings.folder) == first
    values = list(asdict(first).values())
    assert len(set(values)) == len(values)
    assert min(map(len, values)) >= 24
    assert not set(values) & set(environment.values())
    written = [settings.folder / "secrets.json", *(settings.folder / "run" / "secrets").iterdir()]
    written += [settings.folder / "airflow" / name for name in ("passwords.json", "viewer.json")]
    assert {file.stat().st_mode & 0o777 for file in written} == {0o600}


def test_a_home_from_before_there_were_accounts_keeps_its_secrets_and_gets_the_others(
    settings: StackSettings,
) -> None:
    old = {"airflow_password": "a", "api_secret_key": "b", "jwt_secret": "c", "fernet_key": "d"}
    settings.folder.mkdir()
    (settings.folder / "secrets.json").write_text(json.dumps(old))
    found = asdict(load_secrets(settings.folder))
    assert {name: found[name] for name in old} == old
    assert all(found.values())


@pytest.mark.parametrize(
    ("name", "given", "below"),
    [
        ("LAKE_URI", ".canopy/lake", ".canopy/lake"),
        ("LAKE_CATALOG", "sqlite:.canopy/catalog.sqlite", ".canopy/catalog.sqlite"),
        ("SERVING_KEYS", "keys.json", "keys.json"),
        ("SOURCE_HEADERS_FILE", "./headers.json", "headers.json"),
        ("MONITOR_DISKS", "one, two", "two"),
        ("SIMULATOR_ROWS", "rows/../rows.csv", "rows/../rows.csv"),
    ],
)
def test_a_place_means_what_it_means_here_whatever_folder_a_part_runs_in(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch, name: str, given: str, below: str
) -> None:
    monkeypatch.setenv(name, given)
    assert stack_environment(settings)[name].endswith(f"{Path.cwd()}/{below}")


@pytest.mark.parametrize("given", ["s3://lake/canopy", "file:///srv/lake"])
def test_a_lake_elsewhere_stays_there(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("LAKE_URI", given)
    assert stack_environment(settings)["LAKE_URI"] == given.removeprefix("file://")


def test_every_setting_of_the_example_may_be_uncommented(settings: StackSettings) -> None:
    lines = (PROJECT / ".env.example").read_text().splitlines()
    uncommented = [line.removeprefix("#") for line in lines if SETTING.match(line)]
    assert len(uncommented) > 100
    Path(".env").write_text("\n".join(uncommented))
    check_settings()
    environment = stack_environment(settings)
    assert environment["LAKE_URI"] == f"{Path.cwd()}/.canopy/lake"
