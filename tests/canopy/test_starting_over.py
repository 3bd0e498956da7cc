"""`--fresh` puts aside what Canopy made and marked, after it has looked at everything."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.covertype import covertype
from contracts.errors import HomeNotMarked
from contracts.stack_settings import StackSettings
from deploy.home import MARKER, check_movable, is_marked, own_home, put_aside
from tests.attacks.state import fingerprint

NAMES = ",".join(column.source_name for column in covertype().columns)
Canopy = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    own_home(StackSettings(home=made))
    (made / "lake").mkdir()
    (made / "lake" / "bronze").write_text("cannot be had again")
    return made


def test_a_home_is_put_aside_whole_and_the_one_before_it_goes(home: Path) -> None:
    before = fingerprint(home)
    aside = put_aside(home)
    assert aside is not None
    assert fingerprint(aside) == before
    assert not home.exists()
    own_home(StackSettings(home=home))
    assert (second := put_aside(home)) is not None
    assert [path.name for path in home.parent.iterdir()] == [second.name]


def test_a_persons_folder_with_such_a_name_stays(home: Path) -> None:
    theirs = home.with_name(home.name + ".old-thesis")
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("mine")
    put_aside(home)
    assert (theirs / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "ending",
    ["before-thesis", "2026", "20261130T1", "20261130T000000000000-copy", "xold-20261130T000000000000"],
)
def test_a_copy_of_a_home_that_a_person_has_made_stays(home: Path, ending: str) -> None:
    separator = "" if ending.startswith("x") else ".old-"
    theirs = shutil.copytree(home, home.with_name(f"{home.name}{separator}{ending}"))
    before = fingerprint(theirs)
    put_aside(home)
    assert fingerprint(theirs) == before


def test_a_folder_that_holds_other_things_is_never_marked(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    own_home(StackSettings(home=tmp_path))
    assert not is_marked(tmp_path)
    with pytest.raises(HomeNotMarked, match=f"holds no {MARKER}"):
        put_aside(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_persons_folder_of_such_names_is_not_taken_for_a_home(tmp_path: Path) -> None:
    for name in ("models", "training", "logs", "lake"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("mine")
    before = fingerprint(tmp_path)
    own_home(StackSettings(home=tmp_path))
    assert not is_marked(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"models", "training", "logs", "lake"}
    with pytest.raises(HomeNotMarked):
        put_aside(tmp_path)
    assert set(fingerprint(tmp_path)) == set(before)


@pytest.mark.parametrize("sign", ["lake/bronze/rows", "incoming", "secrets.json"])
def test_a_home_that_a_command_has_made_is_one(tmp_path: Path, sign: str) -> None:
    (tmp_path / sign).mkdir(parents=True)
    own_home(StackSettings(home=tmp_path))
    assert is_marked(tmp_path)


def test_a_home_with_something_of_a_person_s_stays_when_the_next_one_goes(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    aside = put_aside(home)
    assert aside is not None
    (aside / "thesis.txt").write_text("mine")
    own_home(StackSettings(home=home))
    second = put_aside(home)
    assert (aside / "thesis.txt").read_text() == "mine"
    assert (aside / "lake" / "bronze").exists()
    assert "old_home_kept" in caplog.text
    assert second is not None
    assert second.exists()


@pytest.mark.parametrize("marker", ["", "{}", "[]", "null", '{"id": 1}', '{"id": "canopy"}'])
def test_a_marker_that_is_none_marks_nothing(home: Path, marker: str) -> None:
    (home / MARKER).write_text(marker)
    with pytest.raises(HomeNotMarked):
        put_aside(home)
    assert (home / "lake" / "bronze").exists()


@pytest.mark.parametrize("below", [".", "deeper/still"])
def test_the_working_folder_and_what_is_above_it_stay(
    home: Path, below: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(home / below)
    with pytest.raises(HomeNotMarked, match="working folder"):
        put_aside(home)


def test_a_persons_home_folder_what_is_above_it_and_the_root_stay(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home / "lake"))
    with pytest.raises(HomeNotMarked, match="a person's home folder lies in it"):
        check_movable(home)
    with pytest.raises(HomeNotMarked):
        check_movable(Path("/"))
    monkeypatch.setenv("HOME", str(home))
    with pytest.raises(HomeNotMarked, match="it is a person's home folder"):
        check_movable(home)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"CANOPY_ROWS": "covertpye.parquet"}, "there is no such file"),
        ({"SOURCE_GROUPS": "Grupo 3"}, "SOURCE_GROUPS"),
        ({"CANOPY_UI_PORT": "85010"}, "CANOPY_UI_PORT"),
        ({"CANOPY_UI_PORT": "8087", "CANOPY_DOCS_PORT": "8087"}, "is the same"),
        ({"CANOPY_AIRFLOW_PORT": "5000", "CANOPY_MLFLOW_PORT": "5000"}, "is the same"),
        ({"CANOPY_SERVING_PORT": "8010", "CANOPY_SOURCE_PORT": "8010"}, "is the same"),
    ],
)
def test_fresh_looks_at_everything_before_it_touches_anything(
    canopy: Canopy, environment: dict[str, str], home: Path, given: dict[str, str], said: str
) -> None:
    before = fingerprint(home)
    environment.update(given)
    ended = canopy("demo", "--fresh", "--exit")
    assert ended.returncode != 0
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert fingerprint(home) == before
    assert [path.name for path in home.parent.iterdir()] == ["home"]


@pytest.mark.parametrize(
    ("command", "name", "content", "said"),
    [
        ("up", "train.csv", f"{','.join(f'Soil_Type{place}' for place in range(1, 41))}\n", "one-hot form"),
        ("demo", "rows.xlsx", "PK\x03\x04", "rows.xlsx cannot be used: it is a workbook"),
        (
            "up",
            "rows.csv",
            f"{NAMES}\n{'2596,' * 9}\n",
            "row 1 has 10 values, and the first line has 13 names",
        ),
    ],
)
def test_rows_are_looked_at_before_any_part_starts(
    canopy: Canopy,
    home: Path,
    tmp_path_factory: pytest.TempPathFactory,
    command: str,
    name: str,
    content: str,
    said: str,
) -> None:
    file = tmp_path_factory.mktemp("rows") / name
    file.write_text(content)
    before = fingerprint(home)
    ended = canopy(command, "--rows", str(file))
    assert ended.returncode == 1
    assert said in ended.stderr.replace("\n", " ")
    assert "starting" not in ended.stderr
    assert fingerprint(home) == before


def test_rows_below_ones_own_home_are_found_there(
    canopy: Canopy, environment: dict[str, str], tmp_path: Path
) -> None:
    """As in `--rows=~/rows.csv`, which no shell makes a path of."""
    environment["HOME"] = str(tmp_path)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    ended = canopy("up", "--rows=~/rows.csv")
    assert ended.returncode == 1
    assert f"The rows in {tmp_path}/rows.csv cannot be used" in ended.stderr.replace("\n", " ")


@pytest.mark.parametrize("command", [["up"], ["demo", "--exit"], ["demo", "--fresh", "--exit"]])
def test_a_disk_without_room_is_said_before_anything_starts(
    canopy: Canopy, environment: dict[str, str], command: list[str]
) -> None:
    environment["CANOPY_HOME"] = "/proc/home"  # a file system that never has a free block
    ended = canopy(*command)
    assert ended.returncode == 8
    assert "/proc has 0 MB left, and the stack wants 1000 MB to start. Free some" in ended.stderr
    assert "starting" not in ended.stderr


def test_fresh_with_a_taken_port_moves_nothing(
    canopy: Canopy, environment: dict[str, str], home: Path
) -> None:
    before = fingerprint(home)
    with socket.create_server(("127.0.0.1", int(environment["CANOPY_UI_PORT"]))):
        ended = canopy("demo", "--fresh", "--exit")
    assert "PortTaken" in ended.stderr
    assert fingerprint(home) == before


def test_an_empty_home_setting_means_the_usual_home_not_the_working_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CANOPY_HOME", "")
    Path(".env").write_text("CANOPY_ROWS=\nCANOPY_SERVING_KEY_FILE=\nCANOPY_UI_PORT=\n")
    settings = StackSettings()
    assert settings.folder == tmp_path / ".canopy"
    assert settings.rows is None
    assert settings.key_file == tmp_path / ".canopy" / "predict.key"
    assert settings.ui_port == StackSettings.model_fields["ui_port"].default


def test_every_setting_may_be_empty_and_has_its_default_then(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from deploy.settings_classes import setting_names, settings_classes

    monkeypatch.chdir(tmp_path)
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)
    wanted = [settings().model_dump() for settings in settings_classes()]
    for name in setting_names():
        monkeypatch.setenv(name, "")
    assert [settings().model_dump() for settings in settings_classes()] == wanted
    for name in setting_names():
        monkeypatch.delenv(name)
    Path(".env").write_text("".join(f"{name}=\n" for name in setting_names()))
    assert [settings().model_dump() for settings in settings_classes()] == wanted
    assert [path.name for path in tmp_path.iterdir()] == [".env"]
