"""A backup of the local stack's home is whole or is refused, and is put back only where nothing is."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from canopy.backup import CONTENTS, back_up_home, checked, restore_home
from canopy.settings import StackSettings
from contracts.errors import BackupUnusable, RestoreRefused
from lake.catalog import connect
from lake.settings import LakeSettings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    for name in (
        "lake/bronze/raw/one",
        "mlflow/mlflow.sqlite",
        "secrets.json",
        "logs/ui.log",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    with connect(_lake(folder), write=True) as writer:
        writer.execute("create table rows as select 42 as answer")
    return folder


def _lake(home: Path) -> LakeSettings:
    return LakeSettings(uri=str(home / "lake"), catalog=f"sqlite:{home}/catalog.sqlite")


def quiet(_: str) -> None:
    """Says nothing."""


def test_what_was_backed_up_comes_back_but_for_what_can_be_made_again(home: Path, tmp_path: Path) -> None:
    back_up_home(StackSettings(home=home), tmp_path / "backup", quiet)
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700
    new = tmp_path / "new"
    restore_home(StackSettings(home=new), tmp_path / "backup", quiet)
    wanted = ("lake/bronze/raw/one", "mlflow/mlflow.sqlite", "secrets.json")
    assert {name: (new / name).read_text() for name in wanted} == {name: name for name in wanted}
    assert not (new / "logs").exists()


def test_a_lake_that_was_put_somewhere_else_is_read_there(home: Path, tmp_path: Path) -> None:
    back_up_home(StackSettings(home=home), tmp_path / "backup", quiet)
    new = tmp_path / "new"
    restore_home(StackSettings(home=new), tmp_path / "backup", quiet)
    home.rename(tmp_path / "gone")
    with connect(_lake(new)) as reader:
        assert reader.execute("select answer from rows").fetchall() == [(42,)]


def test_a_backup_that_is_not_whole_is_refused_before_anything_is_written(home: Path, tmp_path: Path) -> None:
    backup, new = tmp_path / "backup", tmp_path / "new"
    back_up_home(StackSettings(home=home), backup, quiet)
    (backup / "home" / "catalog.sqlite").write_text("other")
    with pytest.raises(BackupUnusable, match=r"catalog\.sqlite"):
        restore_home(StackSettings(home=new), backup, quiet)
    assert not new.exists()


def test_a_backup_that_was_cut_off_is_none(home: Path, tmp_path: Path) -> None:
    back_up_home(StackSettings(home=home), tmp_path / "backup", quiet)
    (tmp_path / "backup" / CONTENTS).unlink()
    with pytest.raises(BackupUnusable):
        checked(tmp_path / "backup")


def test_neither_a_backup_nor_a_stack_is_overwritten(home: Path, tmp_path: Path) -> None:
    back_up_home(StackSettings(home=home), tmp_path / "backup", quiet)
    with pytest.raises(RestoreRefused):
        back_up_home(StackSettings(home=home), tmp_path / "backup", quiet)
    with pytest.raises(RestoreRefused):
        restore_home(StackSettings(home=home), tmp_path / "backup", quiet)
