"""`.env.example` and the settings classes say the same."""

from __future__ import annotations

import re
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

from contracts.errors import SettingUnknown
from contracts.mlflow_settings import MlflowSettings
from contracts.settings import Settings
from contracts.shared_settings import (
    DriftSettings,
    GroupSettings,
    HostsSettings,
    MonitorUrlSettings,
    ServicesSettings,
)
from contracts.stack_settings import PROJECT, StackSettings
from deploy.containers.settings import InitSettings
from deploy.env_example import env_example
from deploy.monitor.settings import MonitorSettings
from deploy.settings_check import CONSTANTS, RENAMED, check_settings, unknown_settings
from deploy.settings_classes import default_of, own_fields, setting_names
from expectations.settings import AlertSettings, AuditSettings
from lake.settings import LakeSettings
from serving.settings import ServingSettings
from source.settings import SourceSettings
from source.simulator.settings import SimulatorSettings
from tests.canopy.told import said_of
from training.settings import TrainingSettings
from ui.settings import UiSettings

CLASSES: list[type[Settings]] = [
    LakeSettings, SourceSettings, SimulatorSettings, AuditSettings, AlertSettings,
    TrainingSettings, ServingSettings, UiSettings, StackSettings, MonitorSettings, InitSettings,
    MlflowSettings, DriftSettings, HostsSettings, GroupSettings, MonitorUrlSettings, ServicesSettings,
]  # fmt: skip
EXAMPLE = (PROJECT / ".env.example").read_text()


@pytest.mark.parametrize("settings", CLASSES, ids=lambda settings: settings.__name__)
def test_the_example_lists_every_setting_of_a_class_with_its_default(settings: type[Settings]) -> None:
    assert dict(_listed(settings.__name__)) == _defined(settings)


def test_the_example_is_what_the_classes_say() -> None:
    assert env_example() == EXAMPLE, "`make settings` writes it anew"


def test_every_settings_class_is_found() -> None:
    files = [file for package in PROJECT.glob("*/__init__.py") for file in package.parent.rglob("*.py")]
    written = re.findall(
        r"^class (\w+Settings)\(\w*Settings[,)]",
        "\n".join(map(Path.read_text, files)),
        re.M,
    )
    assert sorted(_sections()) == sorted(written) == sorted(known.__name__ for known in CLASSES)


def test_the_example_names_no_setting_twice() -> None:
    names = [name for section in _sections() for name, _ in _listed(section)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "said"), sorted(CONSTANTS.items()))
def test_a_setting_that_became_a_constant_is_told_with_the_place(
    name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    constant, _, file = said.partition(" in ")
    module = import_module(file.removesuffix(".py").replace("/", "."))
    assert getattr(module, constant, None) is not None
    monkeypatch.setenv(name, "1")
    assert [str(error) for error in unknown_settings()] == [
        f"{name} is set and is no setting; it is the constant {said} now: change it there, or take it out."
    ]


@pytest.mark.parametrize(("name", "meant"), sorted(RENAMED.items()))
def test_a_setting_that_has_another_name_is_told_with_it(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the other is set: a command has told its parts of each other by then."""
    assert meant in setting_names()
    monkeypatch.setenv(name, "1")
    monkeypatch.setenv(meant, "8502" if meant.endswith("PORT") else "http://127.0.0.1:8502")
    with pytest.raises(
        SettingUnknown, match=f"{name} is set and is no setting; {meant} is: give it that name"
    ):
        check_settings()


def test_the_example_changes_nothing_as_it_is_and_explains_each_setting() -> None:
    lines = [line for line in EXAMPLE.splitlines() if line]
    assert all(line.startswith("#") for line in lines)
    for above, line in pairwise(lines):
        if re.match(r"#\w+=", line):
            assert re.match(r"# .+\.$", above), f"{line} is not explained"


@pytest.mark.parametrize("uri", ["S3://bucket/prefix", "s3://bucket/prefix"])
def test_a_scheme_is_taken_in_large_letters_too(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_URI", uri)
    lake = LakeSettings()
    assert lake.is_s3
    assert lake.root == "s3://bucket/prefix"


def test_a_folder_s_scheme_is_taken_in_large_letters_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_URI", "FILE:///Lake")
    assert LakeSettings().root == "/Lake"


@pytest.mark.parametrize(
    ("settings", "name", "value", "says"),
    [
        (StackSettings, "CANOPY_HOME", "/", ["CANOPY_HOME='/'", "a folder of its own"]),
        (StackSettings, "CANOPY_HOME", "/tmp/..", ["CANOPY_HOME='/tmp/..'", "a folder of its own"]),
        (
            LakeSettings,
            "LAKE_CATALOG",
            "sqlite:///x",
            ["='sqlite:///x'", "sqlite:/x from the root", "sqlite:x in"],
        ),
        (LakeSettings, "LAKE_CATALOG", "sqlite:", ["'sqlite:…'", "It is sqlite:PATH, or postgres:"]),
        (SourceSettings, "SOURCE_PARAMETERS", '{"day": 3}', ['The value of "day"', '{"day": "…"}']),
        (SourceSettings, "SOURCE_HEADERS", '{"X-Day": 35555}', ['The value of "X-Day"', '{"X-Day": "…"}']),
        *(
            (SourceSettings, "SOURCE_URL", f"http://h:{port}", ["It is no address", "http://HOST:PORT"])
            for port in ("80a", "99999", "-1")
        ),
        (SourceSettings, "SOURCE_URL", "http://h:1/#/docs", ["SOURCE_URL='http://h:1/#/docs'"]),
        (SourceSettings, "SOURCE_URL", "http://me:word@h/#token=35555", ["='http://h/#***'"]),
    ],
)
def test_a_value_that_cannot_work_is_named_with_the_form_that_can(
    settings: type[Settings], name: str, value: str, says: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    said = said_of(settings)
    assert [part for part in [name, *says] if part not in said] == [], said
    assert "35555" not in said


def _sections() -> dict[str, str]:
    """The text below each `## ClassName: title`."""
    pieces = re.split(r"^## (\w+):.*$", EXAMPLE, flags=re.M)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def _listed(section: str) -> list[tuple[str, str]]:
    return re.findall(r"^#([A-Z0-9_]+)=(.*)$", _sections()[section], re.M)


def _defined(settings: type[Settings]) -> dict[str, str]:
    prefix = settings.model_config["env_prefix"]
    return {
        str(field.validation_alias or f"{prefix}{name}".upper()): default_of(field)
        for name, field in own_fields(settings).items()
    }
