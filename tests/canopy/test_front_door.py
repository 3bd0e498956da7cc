"""Whatever a person has set, a command answers in a sentence: what is wrong, with which value, what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args, get_origin

import pytest
from mlflow.exceptions import MlflowException
from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from canopy.unexpected import sentence_for
from contracts.errors import (
    CanopyError,
    Defect,
    MachineRefused,
    ServiceRefused,
    SettingsFileUnreadable,
    SettingsInvalid,
    SettingUnknown,
)
from contracts.outside import MASK
from contracts.settings import Settings, env_file, greatest_of, variable
from contracts.stack_settings import PROJECT, StackSettings
from deploy.local.environment import direct_to_itself
from deploy.local.launch import check_start
from deploy.settings_check import check_settings, wrong_settings
from deploy.settings_classes import own_fields, setting_names, settings_classes
from lake.settings import LakeSettings
from source.settings import SourceSettings
from tests.canopy.told import said_of
from tests.lake.landed import lake_in, land, survey_rows
from tests.lake.published import fill_with_numbers

SETTINGS = [
    (settings, name, field) for settings in settings_classes() for name, field in own_fields(settings).items()
]
MLFLOW_SAID = "API request to endpoint /api/2.0/mlflow/registered-models/get failed with error code"
# What a person may come to write, by what it is.
WRITTEN = {
    "empty": "",
    "blank": "  ",
    "a word": "Grupo",
    "below": "-2",
    "above": "99999999999999999999",
    "no number": "nan",
    "no end": "inf",
    "far beyond": "1e+300",
    "31 digits": "9" * 31,
    "not ASCII": "añо\u202e☃",
    "long": "x" * 10_000,
    "no JSON": "{day: Tuesday}",
    "NUL's neighbour": "\x1b[2J\x07",
}

# Root reads and writes against a file's rights; who is told so does not.
NOT_AS_ROOT = () if os.geteuid() else ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")

NO_NUMBER = {*WRITTEN} - {"empty", "blank"}
NEVER_TAKEN = {
    "number": NO_NUMBER,
    "switch": {*WRITTEN} - {"empty", "blank"},
    "path": {"long"},
    "address": {*WRITTEN} - {"empty", "blank"},
    "other": set[str](),
}


def _kind_of(field: FieldInfo) -> str:
    kinds = {field.annotation, *get_args(field.annotation)}
    if get_origin(field.annotation) in (tuple, dict):
        return "other"
    if Path in kinds:
        return "path"
    if any(isinstance(one, AfterValidator) for one in field.metadata) or "AfterValidator" in str(kinds):
        return "address"
    return "number" if kinds & {int, float} else "switch" if bool in kinds else "other"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own, in which nothing is set and nothing may appear."""
    for settings, name, field in SETTINGS:
        monkeypatch.delenv(variable(settings, name, field), raising=False)
    folder = tmp_path / "working"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("settings", "name", "field"), SETTINGS, ids=[f"{kind.__name__}.{name}" for kind, name, _ in SETTINGS]
)
def test_a_setting_is_taken_or_refused_in_one_sentence(
    settings: type[Settings],
    name: str,
    field: FieldInfo,
    empty_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called, usual = variable(settings, name, field), settings()
    for kind, value in WRITTEN.items():
        monkeypatch.setenv(called, value)
        said = said_of(settings)
        if kind in ("empty", "blank"):
            assert (said, settings()) == ("", usual)
        elif not said:
            assert kind not in NEVER_TAKEN[_kind_of(field)], (called, value)
        else:
            assert called in said
            assert said.isprintable()
            assert said.endswith(".")
            assert len(said) < 1_500
            assert value[:5] in said or MASK in said or "…" in said or "\\" in said
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("# Contraseña\nSOURCE_GROUPS=3\n".encode("latin-1"), "byte 11, on line 1, is not UTF-8"),
        ("SOURCE_GROUPS=3\n\n# año\n".encode("cp1252"), "on line 3, is not UTF-8"),
        ("SOURCE_GROUPS=3\n".encode("utf-16"), "it is UTF-16, as PowerShell"),
        ("SOURCE_GROUPS=3\n".encode("utf-16-le"), "byte 2 is NUL, as in UTF-16"),
        ("SOURCE_GROUPS=3\n".encode("utf-16-be"), "byte 1 is NUL, as in UTF-16"),
        (b"SOURCE_GROUPS=3\nSOURCE_URL=http://x\0\n", "byte 36 is NUL"),
    ],
)
def test_a_file_of_settings_that_is_no_utf_8_is_named(empty_folder: Path, content: bytes, said: str) -> None:
    (empty_folder / ".env").write_bytes(content)
    with pytest.raises(SettingsFileUnreadable, match=said):
        SourceSettings()


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffSOURCE_GROUPS=3\r\n",
        "SOURCE_GROUPS=3   # mine\n",
        'export SOURCE_GROUPS = "3"\n',
        "\n\n# mine: it's\n  SOURCE_GROUPS='3'",
        "UI_PORT=8502\rSOURCE_GROUPS=3\r",
        'SOURCE_GROUPS=3\nSOURCE_PARAMETERS=\'{\n  "day": "Tuesday"\n}\'\n',
        'SOURCE_GROUPS=3\nTHEIR_KEY="-----BEGIN KEY-----\nAAECAwQF\nBgc=\n-----END KEY-----"\n',
        "spring.port=80\nAÑO-1=3\nempty=\nSOURCE_GROUPS=3\n",
    ],
)
def test_a_file_of_settings_as_people_write_it_is_read(empty_folder: Path, content: str) -> None:
    (empty_folder / ".env").write_bytes(content.encode())
    assert SourceSettings().groups == (3,)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('SOURCE_URL="http://survey.example:8080\nSOURCE_GROUPS=3\n', "line 1 is no NAME=value"),
        ("# mine\n\nSOURCE_URL='http://survey.example:8080\n", "line 3 is no NAME=value"),
        ('SOURCE_URL="http://survey.example:8080\nSOURCE_GROUPS="3"\n', "line 1 is no NAME=value"),
        ('SOURCE_URL="http://a.example\nSOURCE_GROUPS=3\nUI_PORT=1 #"\n', "goes on over line 2, which sets"),
        ("SOURCE_GROUPS=3\r\ngarbage line\r\n", "line 2 is no NAME=value"),
        ("SOURCE_GROUPS=3\rgarbage line\r", "line 2 is no NAME=value"),
        ("foo bar=1\n", "line 1 is no NAME=value"),
        ("SOURCE_GROUPS\n", "line 1 is no NAME=value"),
        ("SOURCE_URL: http://survey.example:8080\n", "line 1 is no NAME=value"),
        ("SOURCE_URL:http://survey.example:8080?day=3\n", "line 1 is no NAME=value"),
        ("=3\n", "line 1 is no NAME=value"),
        ('"SOURCE_GROUPS"=3\n', "line 1 is no NAME=value"),
        ("$env:SOURCE_GROUPS=3\n", "line 1 is no NAME=value"),
        ("export\n", "line 1 is no NAME=value"),
        ('{"SOURCE_GROUPS": 3}\n', "line 1 is no NAME=value"),
    ],
)
def test_a_line_that_sets_nothing_is_named_by_its_file_and_number(
    empty_folder: Path, content: str, said: str
) -> None:
    (empty_folder / ".env").write_bytes(content.encode())
    with pytest.raises(SettingsFileUnreadable, match=rf"settings \.env cannot be read: .*{said}") as refused:
        SourceSettings()
    with pytest.raises(SettingsFileUnreadable):
        env_file()
    assert "survey.example" not in str(refused.value)


@pytest.mark.parametrize("command", [["collect"], ["status"], ["source", "simulate"], ["doctor", "--json"]])
def test_a_lost_quotation_mark_ends_every_command_and_is_told_by_the_doctor(
    empty_folder: Path, command: list[str]
) -> None:
    (empty_folder / ".env").write_text('SOURCE_URL="http://127.0.0.1:9\nSOURCE_GROUPS=3\n')
    done = canopy(*command)
    assert done.returncode == (1 if "doctor" in command else 2)
    assert ".env cannot be read: line 1 is no NAME=value" in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr
    assert [found.name for found in empty_folder.iterdir()] == [".env"]


@pytest.mark.parametrize("kind", ["pipe", "device", "link to nothing", "too large"])
def test_what_is_no_file_of_settings_is_one_sentence_and_never_waited_for(
    empty_folder: Path, kind: str
) -> None:
    file = empty_folder / ".env"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "too large":
        with file.open("wb") as sparse:
            sparse.truncate(2**31)
    else:
        file.symlink_to("/dev/zero" if kind == "device" else "nowhere")
    done = canopy("status")
    assert done.returncode == 2
    assert "The file of settings .env cannot be read" in " ".join(done.stderr.split())


def test_a_folder_in_the_place_of_the_file_of_settings_says_nothing(empty_folder: Path) -> None:
    (empty_folder / ".env").mkdir()
    assert SourceSettings().groups == (1,)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SOURCE_TIMEOUT_S", "inf", "a finite number"),
        ("SOURCE_TIMEOUT_S", "1e300", "604,800"),
        ("SOURCE_WINDOW_S", "1e300", "3,153,600,000"),
        ("SOURCE_GROUPS", "1," + "9" * 31, "below 1,000,000,000"),
        ("TRAINING_KEEP_DAYS", "1e7", "36,500"),
        ("TRAINING_PARAMETERS", '{"trees": 1e400}', "a finite number"),
        ("TRAINING_MAXIMUM_MEGABYTES", "1e300", "1,048,576"),
        ("LAKE_KEEP_SNAPSHOTS_DAYS", "1e7", "36,500"),
        ("LAKE_KEEP_FILES_HOURS", "1e12", "876,000"),
        ("LAKE_KEEP_CATALOGS", "9" * 31, "9,007,199,254,740,992"),
        ("LAKE_MEMORY_LIMIT", "999999999999TB", "1024TB at most"),
        ("MONITOR_STALE_WINDOWS", "1e12", "10000"),
        ("SERVING_WORKERS", "1000000", "256"),
        ("UI_UPLOAD_TIMEOUT_S", "1e300", "604,800"),
        ("UI_UPLOAD_MEMORY_MB", str(10**13), "1,048,576"),
        ("UI_QUESTION_MEMORY_MB", "9" * 31, "1,048,576"),
    ],
)
def test_a_number_is_bounded_and_its_bound_is_said(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid, match=name) as refused:
        check_settings()
    assert said in str(refused.value)


def test_the_greatest_numbers_that_are_taken_can_be_reckoned_with(monkeypatch: pytest.MonkeyPatch) -> None:
    now, longest_poll_ms = datetime.now(UTC), 2**31 - 1
    for settings, name, field in SETTINGS:
        greatest = greatest_of(name)
        monkeypatch.setenv(variable(settings, name, field), str(greatest))
        if name.endswith(("_s", "_hours", "_days")) and not name.endswith("bytes_per_s"):
            unit = "hours" if name.endswith("_hours") else "days" if name.endswith("_days") else "seconds"
            assert now - timedelta(**{unit: greatest}) < now < now + timedelta(**{unit: greatest})
        if name.endswith("timeout_s"):
            assert said_of(settings) == ""
            assert greatest * 1000 < longest_poll_ms
        monkeypatch.delenv(variable(settings, name, field))


@pytest.mark.parametrize(
    ("settings", "name", "field"),
    [found for found in SETTINGS if _kind_of(found[2]) == "path"],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_path_may_begin_at_ones_own_home(
    settings: type[Settings], name: str, field: FieldInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable(settings, name, field), "~/rows.csv")
    assert getattr(settings(), name) == tmp_path / "rows.csv"
    monkeypatch.setenv(variable(settings, name, field), "~nobody-of-this-name/rows.csv")
    assert "no home of that name" in said_of(settings)


def test_the_rows_of_the_simulator_may_lie_in_ones_own_home(
    tmp_path: Path, survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / survey.name).symlink_to(survey)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CANOPY_ROWS", f"~/{survey.name}")
    check_start(StackSettings())


@pytest.mark.parametrize(
    ("called", "value"),
    [
        ("SOURCE_PARAMETERS", "day=Tuesday"),
        ("SOURCE_PARAMETERS", '{"day": 3}'),
        ("SOURCE_PARAMETERS", "{'day': 'Tuesday'}"),
        ("TRAINING_PARAMETERS", "{trees: 60}"),
        ("TRAINING_RECALL_TOLERANCES", "[0.1]"),
        ("MONITOR_PARTS", "{"),
    ],
)
def test_a_setting_that_is_json_and_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, called: str, value: str
) -> None:
    monkeypatch.setenv(called, value)
    with pytest.raises(SettingsInvalid, match=f"The setting {called}"):
        check_settings()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SOURCE_GROUP", "SOURCE_GROUPS"),
        ("SOURCE_GRUPOS", "SOURCE_GROUPS"),
        ("GROUP_NUMBER", "SOURCE_GROUPS"),
        ("SOURCE_GROUP_NUMBER", "SOURCE_GROUPS"),
        ("SOURCE_DAY", "SOURCE_PARAMETERS"),
        ("LAKE_URL", "LAKE_URI"),
        ("LAKE_ROOT", "LAKE_URI"),
        ("CANOPY_HOMES", "CANOPY_HOME"),
        ("SIMULATOR_ROW", "SIMULATOR_ROWS"),
    ],
)
@pytest.mark.parametrize("is_line", [True, False])
def test_a_name_that_was_meant_as_a_setting_stops_what_cannot_be_undone(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str, is_line: bool
) -> None:
    if is_line:
        (empty_folder / ".env").write_text(f"{name}=3\n")
    else:
        monkeypatch.setenv(name, "3")
    with pytest.raises(SettingUnknown, match=f"{name} is set and is no setting; {meant} is"):
        check_settings()


@pytest.mark.parametrize(
    "name",
    [
        *("SOURCE_DATE_EPOCH", "SOURCE_VERSION", "UI_THEME", "LAKE", "AUDIT_LOG", "MLFLOW_TRACKING_URI"),
        *("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "S3_ENDPOINT_URL", "AIRFLOW_PORT", "HOME_URL"),
    ],
)
def test_variables_of_others_stop_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "3")
    check_settings()


def test_settings_of_one_of_several_sources_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_NAMES", "covertype,second-service")
    monkeypatch.setenv("SOURCE_SECOND_SERVICE_GROUPS", "4")
    check_settings()


@pytest.mark.parametrize("is_line", [True, False])
def test_a_name_that_was_meant_as_one_source_s_own_setting_stops_too(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch, is_line: bool
) -> None:
    monkeypatch.setenv("SOURCE_NAMES", "covertype,days")
    if is_line:
        (empty_folder / ".env").write_text("SOURCE_DAYS_GROUP=3\n")
    else:
        monkeypatch.setenv("SOURCE_DAYS_GROUP", "3")
    with pytest.raises(
        SettingUnknown, match="SOURCE_DAYS_GROUP is set and is no setting; SOURCE_DAYS_GROUPS is"
    ):
        check_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOURCE_DAYS_URL", "10.0.0.1:8080"),
        ("SOURCE_DAYS_GROUPS", "Grupo 3"),
        ("SOURCE_DAYS_PARAMETERS", "day=Tuesday"),
        ("SOURCE_DAYS_ATTEMPTS", "0"),
    ],
)
def test_one_source_s_own_settings_are_read_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("SOURCE_NAMES", "covertype,days")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid):
        check_settings()
    assert len(list(wrong_settings())) == 1


def test_another_project_s_file_of_settings_stops_nothing(empty_folder: Path) -> None:
    lines = "MLFLOW_DEFAULT_ARTIFACT_ROOT=s3://mlflow/\nAWS_ACCESS_KEY_ID=example\nWEB_CONCURRENCY=4\n"
    (empty_folder / ".env").write_text(lines)
    check_settings()


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("http://127.0.0.1:8010", "http://127.0.0.1:8010"),
        (" http://127.0.0.1:8010/ ", "http://127.0.0.1:8010"),
        ("HTTP://localhost:8010//", "HTTP://localhost:8010"),
        ("https://gateway.example/covertype/", "https://gateway.example/covertype"),
        ("http://127.0.0.1:8010/data?group_number=6", None),
        ("http://127.0.0.1:8010/?group_number=6", None),
        ("http://127.0.0.1:8010/data", None),
        ("http://127.0.0.1:8010/docs#/default", None),
        ("http://127.0.0.1:80a/", None),
        ("http://127.0.0.1:99999/", None),
        ("http://[::1/", None),
        ("10.0.0.1:8080", None),
        ("ftp://10.0.0.1/", None),
    ],
)
def test_an_address_is_used_whole_or_refused(
    monkeypatch: pytest.MonkeyPatch, url: str, taken: str | None
) -> None:
    monkeypatch.setenv("SOURCE_URL", url)
    if taken is not None:
        assert SourceSettings().url == taken
        return
    with pytest.raises(SettingsInvalid, match="SOURCE_URL"):
        SourceSettings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVING_RATE_LIMIT", "Grupo"),
        ("SERVING_RATE_LIMIT", "-2"),
        ("SERVING_RATE_LIMIT", "1000"),
        ("TRAINING_MLFLOW_URL", "127.0.0.1:5000"),
        ("CANOPY_HOME", "x" * 256),
        ("CANOPY_HOME", "/x" * 3000),
        ("MONITOR_DISKS", "/," + "x" * 256),
    ],
)
def test_what_a_part_would_stumble_over_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid, match=name):
        check_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAKE_URI", "s3a://lake/canopy"),
        ("LAKE_URI", "gs://lake"),
        ("LAKE_URI", "hdfs://host/lake"),
        ("LAKE_URI", "s3:/lake"),
        ("LAKE_URI", "s3://"),
        ("LAKE_URI", "file://host/lake"),
        ("LAKE_S3_ENDPOINT_URL", "minio:9000"),
        ("LAKE_S3_ENDPOINT_URL", "minio"),
        ("LAKE_S3_ENDPOINT_URL", "//minio:9000"),
        ("LAKE_S3_ENDPOINT_URL", "http://minio:90a"),
        ("LAKE_S3_ENDPOINT_URL", "http://minio:99999"),
        ("LAKE_S3_ENDPOINT_URL", "http://minio:0"),
        ("LAKE_S3_ENDPOINT_URL", "http://:9000"),
        ("LAKE_S3_ENDPOINT_URL", "http://minio:9000/prefix"),
        ("LAKE_S3_ENDPOINT_URL", "http://minio:9000/?region=a"),
        ("LAKE_S3_ENDPOINT_URL", "http://someone:secretpw@minio:9000"),
        ("LAKE_URI", "x" * 10_000),
        ("LAKE_CATALOG", f"sqlite:{'x' * 300}"),
        ("LAKE_MEMORY_LIMIT", "4 Go"),
        ("LAKE_MEMORY_LIMIT", "16MB"),
        ("LAKE_MEMORY_LIMIT", "-4GB"),
        ("LAKE_THREADS", "0"),
        ("LAKE_CATALOG", "sqlite:"),
        ("LAKE_CATALOG", "catalog.sqlite"),
        ("LAKE_CATALOG", "postgresql://someone:secretpw@127.0.0.1/db"),
        ("LAKE_CATALOG", "postgres://someone:secretpw@127.0.0.1/db"),
    ],
)
def test_a_lake_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid, match=name) as refused:
        LakeSettings()
    assert "secretpw" not in str(refused.value)


@pytest.mark.parametrize("name", ["LAKE_URI", "LAKE_CATALOG"])
def test_a_place_that_is_nowhere_is_refused(
    monkeypatch: pytest.MonkeyPatch, empty_folder: Path, name: str
) -> None:
    for link, other in (("here", "there"), ("there", "here")):
        (empty_folder / link).symlink_to(other)
    for place, said in (("here/lake", "leads to itself"), ("~nobody-of-this-name/lake", "home")):
        monkeypatch.setenv(name, f"{'sqlite:' if name == 'LAKE_CATALOG' else ''}{place}")
        with pytest.raises(SettingsInvalid, match=name) as refused:
            LakeSettings()
        assert said in str(refused.value)


@pytest.mark.parametrize("host", ["", "localhost"])
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("my%20lake", "my lake"),
        ("Proyecto #2/lake", "Proyecto #2/lake"),
        ("a%23b", "a#b"),
        ("a;b&c", "a;b&c"),
    ],
)
def test_a_folder_may_be_written_as_an_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str, written: str, meant: str
) -> None:
    monkeypatch.setenv("LAKE_URI", f"file://{host}{tmp_path}/{written}")
    assert LakeSettings().root == f"{tmp_path}/{meant}"


def test_a_question_mark_of_an_address_is_not_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAKE_URI", f"file://{tmp_path}/lake?version=2")
    with pytest.raises(SettingsInvalid, match="LAKE_URI"):
        LakeSettings()


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "localhost"}, "localhost,127.0.0.1,::1"),
        ({"no_proxy": ".lan, 127.0.0.1"}, ".lan,127.0.0.1,localhost,::1"),
    ],
)
def test_what_this_machine_asks_of_itself_goes_through_no_proxy(given: dict[str, str], names: str) -> None:
    assert direct_to_itself(given) == {"NO_PROXY": names, "no_proxy": names}


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (PermissionError(13, "Permission denied", "ro/.canopy"), MachineRefused, "ro/.canopy"),
        (OSError(28, "No space left on device", "lake"), MachineRefused, "disk is full at lake"),
        (OSError(24, "Too many open files"), MachineRefused, "ulimit -n"),
        (IsADirectoryError(21, "Is a directory", "rows"), MachineRefused, "rows cannot be used"),
        (MemoryError(), MachineRefused, "not enough memory"),
        (ImportError("Using SOCKS proxy, but the 'socksio' package"), MachineRefused, "socksio"),
        (KeyError("x"), Defect, "KeyError: 'x'"),
        (MlflowException(f"{MLFLOW_SAID} 401 != 200. Body: 'no account'"), ServiceRefused, "another home's"),
        (MlflowException(f"{MLFLOW_SAID} 403 != 200"), ServiceRefused, "set CANOPY_HOME or its port"),
        (MlflowException("the disk of the store\nis full"), ServiceRefused, "is full. Its log says more"),
    ],
)
def test_what_no_room_has_told_of_is_one_sentence_too(
    tmp_path: Path, error: Exception, kind: type[CanopyError], said: str
) -> None:
    found = sentence_for(error, tmp_path)
    assert isinstance(found, kind)
    assert said in str(found)


def test_a_mistake_of_canopy_s_is_kept_whole_without_its_secrets(empty_folder: Path) -> None:
    try:
        raise RuntimeError("http://me:marker-5ecret@host/ did not answer")
    except RuntimeError as error:
        found = sentence_for(error, empty_folder)
    (file,) = empty_folder.glob("canopy-defect-*.txt")
    assert file.name in str(found)
    assert "Traceback" in file.read_text()
    assert "marker-5ecret" not in file.read_text() + str(found)


@pytest.mark.parametrize(
    "name",
    [
        "lake [v2]",
        "star*",
        "what?",
        "new\nline",
        "back\\slash",
        "tab\there",
        "]",
        "esc\x1b[2J",
        "cash $HOME",
        "${HOME}",
        "5 $",
    ],
)
@pytest.mark.parametrize("command", ["status", "collect", "refine", "up", "sql"])
def test_a_folder_whose_name_would_be_others_too_is_refused_by_name(
    empty_folder: Path, name: str, command: str
) -> None:
    if command != "status" and name != "lake [v2]":
        for setting in ("LAKE_URI", "LAKE_CATALOG"):
            place = f"{'sqlite:' if setting == 'LAKE_CATALOG' else ''}{empty_folder / name}/x"
            with pytest.raises(SettingsInvalid, match=setting):
                LakeSettings(**{setting.removeprefix("LAKE_").lower(): place})
        return
    folder = empty_folder / name
    folder.mkdir()
    done = canopy(command, *(["select 1"] if command == "sql" else []), folder=folder)
    assert done.returncode == 2
    assert "Set CANOPY_HOME" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize("name", ["it's mine", 'Proyecto #2 (2025) 100% "año niño"', "{curly}; `id`, -dash"])
def test_a_folder_of_another_name_works(empty_folder: Path, survey: Path, name: str) -> None:
    folder = empty_folder / name
    folder.mkdir()
    land(lake_in(folder / ".canopy"), survey_rows(survey, 200), 10)
    assert canopy("refine", folder=folder).returncode == 0
    done = canopy("sql", "select count(*) as n from gold.training_set", "--format", "csv", folder=folder)
    assert done.stdout.split() == ["n", "200"]


COMMANDS = [
    ({"SOURCE_GROUPS": "Grupo 3"}, ["collect"], 2, "SOURCE_GROUPS"),
    ({"SOURCE_GROUP": "3"}, ["collect"], 2, "SOURCE_GROUPS is"),
    ({"CANOPY_UI_PORT": "85010"}, ["up"], 2, "CANOPY_UI_PORT"),
    ({"LAKE_MEMORY_LIMIT": "4 Go"}, ["sql", "select 1"], 2, "LAKE_MEMORY_LIMIT"),
    ({"SOURCE_PARAMETERS": "day=Tuesday"}, ["collect"], 2, "SOURCE_PARAMETERS"),
    ({"SOURCE_GROUP": "3"}, ["up", "--stack"], 2, "SOURCE_GROUPS is"),
    ({"SOURCE_GROUP": "3"}, ["source", "restart", "--group", "1", "--yes"], 2, "SOURCE_GROUPS is"),
    ({"ALL_PROXY": "socks5://127.0.0.1:1080"}, ["up"], 71, "ALL_PROXY names a SOCKS proxy"),
    ({"https_proxy": "SOCKS5h://me:marker-5ecret@host"}, ["demo", "--exit"], 71, "socksio"),
    ({"HTTP_PROXY": " socks4://127.0.0.1:1080"}, ["demo", "--fresh", "--exit"], 71, "HTTP_PROXY names"),
]
PORTS = [
    *(
        "CANOPY_UI_PORT",
        "CANOPY_SOURCE_PORT",
        "CANOPY_AIRFLOW_PORT",
        "CANOPY_MLFLOW_PORT",
        "CANOPY_DOCS_PORT",
    ),
    *("CANOPY_SERVING_PORT", "CANOPY_MONITOR_PORT", "CANOPY_S3_PORT", "CANOPY_S3_CONSOLE_PORT"),
    *("SERVING_PORT", "SIMULATOR_PORT"),
]


def test_these_are_all_ports() -> None:
    assert {name for name in setting_names() if name.endswith("_PORT")} == set(PORTS)


@pytest.mark.parametrize("value", ["0", "-1", "65536", "85010", "1" + 20 * "0", "8080a", "80 80"])
@pytest.mark.parametrize("name", PORTS)
def test_a_port_has_bounds(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid, match=name):
        check_settings()


@pytest.mark.parametrize(("given", "command", "status", "said"), COMMANDS)
def test_a_command_leaves_with_the_sentence_and_writes_nothing(
    empty_folder: Path, given: dict[str, str], command: list[str], status: int, said: str
) -> None:
    done = canopy(*command, **given)
    assert done.returncode == status
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "marker-5ecret" not in done.stderr
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("LAKE_THREADS", value) for value in ("0", "-1", "1025", "two", "2.5")),
        *(("LAKE_MEMORY_LIMIT", value) for value in ("4 Go", "16MB", "50%", "-4GB", "4")),
        *(("LAKE_KEEP_SNAPSHOTS_DAYS", value) for value in ("-1", "a week", "nan")),
        *(("LAKE_KEEP_FILES_HOURS", value) for value in ("-0.5", "24h", "inf")),
        *(("LAKE_KEEP_CATALOGS", value) for value in ("0", "-3", "three")),
    ],
)
def test_a_number_of_the_lake_s_that_cannot_be_is_one_sentence_before_anything_is_written(
    empty_folder: Path, name: str, value: str
) -> None:
    done = canopy("sql", "select 1", **{name: value})
    said = " ".join(done.stderr.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert said.startswith(f"SettingsInvalid: The setting {name}='{value}' cannot work. It is")
    assert said.endswith(".")
    assert said.count("SettingsInvalid") == 1
    assert "duckdb" not in said.lower()
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "others"),
    [
        ({"SOURCE_GROUPS": "Grupo 3", "CANOPY_UI_PORT": "85010"}, ()),
        (
            {
                "LAKE_S3_ENDPOINT_URL": "minio:9000",
                "SOURCE_PARAMETERS": "day=Tuesday",
                "UI_UPLOAD_TIMEOUT_S": "x",
            },
            (),
        ),
        ({"SOURCE_GROUPS": "Grupo 3", "SOURCE_URL": "10.0.0.1:8080", "SOURCE_PACE_S": "fast"}, ()),
        # Without the file nothing else of the settings can be said.
        ({".env": "# Contraseña\n", "CANOPY_DOCS_PORT": "8501"}, ("CANOPY_DOCS_PORT",)),
    ],
)
def test_the_doctor_finds_each_and_stops_at_none(
    empty_folder: Path, given: dict[str, str], others: tuple[str, ...]
) -> None:
    if ".env" in given:
        (empty_folder / ".env").write_bytes(given[".env"].encode("latin-1"))
    done = canopy("doctor", "--json", **{name: value for name, value in given.items() if name != ".env"})
    assert done.returncode == 1
    checks = json.loads(done.stdout)
    assert {"Python", "Packages", "Memory", "Settings", "Object store", "Catalog"} <= {
        check["what"] for check in checks
    }
    said = " ".join(check["remedy"] for check in checks if not check["is_well"])
    assert all(name in said for name in given if name not in ("LAKE_URI", *others))


def ports_of(environment: dict[str, str]) -> dict[str, str]:
    """The free ports of a test: nothing of another stack on this machine is asked."""
    return {name: value for name, value in environment.items() if name.endswith("_PORT")}


def canopy(
    *command: str,
    folder: Path | None = None,
    without: tuple[str, ...] = (),
    before: tuple[str, ...] = (),
    **given: str,
) -> subprocess.CompletedProcess[str]:
    """Runs a command in a folder, the working one if no other is named, as a person does."""
    kept = {"PATH", "HOME", "LANG"} - {*without}
    environment = {name: os.environ[name] for name in kept if name in os.environ} | given
    return subprocess.run(
        [*before, sys.executable, "-m", "canopy", *command],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "command", [["up"], ["demo", "--exit"], ["keys", "add", "--name", "somebody"], ["collect"]]
)
def test_a_folder_that_cannot_be_written_is_one_sentence(
    empty_folder: Path, environment: dict[str, str], command: list[str]
) -> None:
    empty_folder.chmod(0o555)
    done = canopy(*command, before=NOT_AS_ROOT, **ports_of(environment))
    assert done.returncode not in (0, 1, 70)
    assert "Traceback" not in done.stderr
    assert str(empty_folder / ".canopy") in done.stderr.replace("\n", "")
    assert "Permission denied" in " ".join(done.stderr.split())
    assert list(empty_folder.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize(
    "given",
    [{}, {"HOME": "/nonexistent"}, {"HOME": ""}],
    ids=["without HOME", "a HOME that is none", "empty"],
)
@pytest.mark.parametrize("command", [["sql", "select 1"], ["models"], ["doctor", "--json"], ["status"]])
def test_a_home_folder_of_ones_own_is_not_needed(
    environment: dict[str, str], command: list[str], given: dict[str, str]
) -> None:
    ports = ports_of(environment)
    usual, done = canopy(*command, **ports), canopy(*command, without=("HOME",), **given, **ports)
    assert done.returncode == usual.returncode
    assert "Traceback" not in done.stderr
    assert done.stderr.split() == usual.stderr.split()


@pytest.mark.long
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252:strict"])
def test_the_doctor_speaks_to_a_terminal_of_any_letters(environment: dict[str, str], encoding: str) -> None:
    ports = ports_of(environment)
    usual = canopy("doctor", **ports)
    done = canopy("doctor", without=("LANG",), PYTHONIOENCODING=encoding, **ports)
    assert (done.returncode, done.stderr) == (usual.returncode, "")
    assert "Object store" in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("form", ["csv", "table"])
def test_an_answer_is_utf_8_whatever_the_terminal_says(empty_folder: Path, form: str) -> None:
    fill_with_numbers(lake_in(empty_folder / ".canopy"))
    query = "select 'año ☃' as said"
    done = canopy("sql", query, "--format", form, without=("LANG",), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "año ☃" in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("theirs", ["serving", "source", "lake", "contracts"])
def test_packages_of_another_project_do_not_take_the_place_of_ours(
    empty_folder: Path, tmp_path: Path, theirs: str
) -> None:
    for folder in (tmp_path / "project", empty_folder):
        (folder / theirs).mkdir(parents=True)
        (folder / theirs / "__init__.py").write_text("raise ImportError('of another project')\n")
    done = canopy("status", "--json", PYTHONPATH=f"{tmp_path / 'project'}")
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.parametrize("theirs", ["contracts", "lake", "source", "httpx", "typer"])
def test_modules_of_another_project_do_not_take_the_place_of_ours(
    empty_folder: Path, tmp_path: Path, theirs: str
) -> None:
    (tmp_path / "project").mkdir()
    # Where `python -m` is run, Python itself looks first; the command `canopy` has no such place.
    for folder in (tmp_path / "project", *([empty_folder] if (PROJECT / theirs).is_dir() else [])):
        (folder / f"{theirs}.py").write_text("raise RuntimeError('of another project')\n")
    done = canopy("status", "--json", PYTHONPATH=f"{tmp_path / 'project'}:")
    assert done.returncode == 0, done.stderr
