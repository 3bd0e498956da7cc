"""A backup of the local stack's home is whole or is refused, and is put back only where nothing is."""

from __future__ import annotations

import stat
import threading
from pathlib import Path
from typing import Any

import pyrage
import pytest

from contracts.errors import BackupRefused, BackupUnusable, RestoreRefused, SettingsInvalid
from contracts.stack_settings import StackSettings
from deploy.backup.age import ENCRYPTED, identities_of, recipients_of
from deploy.backup.files import CONTENTS, read_contents
from deploy.backup.local import back_up_home, require_own_lake, restore_home
from lake.catalog.connection import connect
from lake.catalog.writer import one_writer
from lake.settings import LakeSettings

KEPT = ("lake/bronze/raw/one", "mlflow/mlflow.sqlite", "secrets.json")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    for name in (*KEPT, "logs/ui.log", "dbt/target/manifest.json", "run/supervisord.pid"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    with connect(_lake(folder), write=True) as writer:
        writer.execute("create table rows as select 42 as answer")
    return folder


@pytest.fixture(params=["plain", "encrypted"])
def keys(request: pytest.FixtureRequest) -> dict[str, Any]:
    """To whom a backup is encrypted, and what opens it."""
    if request.param == "plain":
        return {"recipients": [], "identities": []}
    identity = pyrage.x25519.Identity.generate()
    return {"recipients": recipients_of([str(identity.to_public())]), "identities": [identity]}


def _lake(home: Path) -> LakeSettings:
    return LakeSettings(uri=str(home / "lake"), catalog=f"sqlite:{home}/catalog.sqlite")


def settings(home: Path) -> StackSettings:
    return StackSettings(home=home, _env_file=None)


def quiet(_: str) -> None:
    """Says nothing."""


def test_what_was_backed_up_comes_back_but_for_what_can_be_made_again(
    home: Path, keys: dict[str, Any], tmp_path: Path
) -> None:
    backup, new = tmp_path / "backup", tmp_path / "new"
    back_up_home(settings(home), backup, quiet, keys["recipients"])
    restore_home(settings(new), backup, quiet, keys["identities"])
    assert {name: (new / name).read_text() for name in KEPT} == {name: name for name in KEPT}
    assert not [name for name in ("logs", "dbt", "run", "catalog.sqlite.lock") if (new / name).exists()]
    for folder in (backup, new):
        assert [path for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077] == []
    assert stat.S_IMODE(new.stat().st_mode) == 0o700
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "home", "new"]


def test_a_lake_that_was_put_somewhere_else_is_read_there(
    home: Path, keys: dict[str, Any], tmp_path: Path
) -> None:
    new = tmp_path / "new"
    back_up_home(settings(home), tmp_path / "backup", quiet, keys["recipients"])
    restore_home(settings(new), tmp_path / "backup", quiet, keys["identities"])
    home.rename(tmp_path / "gone")
    with connect(_lake(new)) as reader:
        assert reader.execute("select answer from rows").fetchall() == [(42,)]


def test_a_file_keeps_its_time(home: Path, keys: dict[str, Any], tmp_path: Path) -> None:
    """The cache of models goes by it."""
    back_up_home(settings(home), tmp_path / "backup", quiet, keys["recipients"])
    restore_home(settings(tmp_path / "new"), tmp_path / "backup", quiet, keys["identities"])
    times = [(folder / KEPT[0]).stat().st_mtime for folder in (home, tmp_path / "new")]
    assert times[0] == pytest.approx(times[1], abs=1)


def test_a_backup_that_was_cut_off_is_none(home: Path, tmp_path: Path) -> None:
    back_up_home(settings(home), tmp_path / "backup", quiet)
    (tmp_path / "backup" / CONTENTS).unlink()
    with pytest.raises(BackupUnusable, match="cut off"):
        read_contents(tmp_path / "backup")


def test_neither_a_backup_nor_a_stack_is_overwritten(home: Path, tmp_path: Path) -> None:
    back_up_home(settings(home), tmp_path / "backup", quiet)
    with pytest.raises(BackupRefused, match="is there already"):
        back_up_home(settings(home), tmp_path / "backup", quiet)
    with pytest.raises(RestoreRefused, match="is there already"):
        restore_home(settings(home), tmp_path / "backup", quiet)


def test_a_backup_is_not_made_inside_what_it_copies(home: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="lies in"):
        back_up_home(settings(home), home / "kept" / "monday", quiet)
    with pytest.raises(BackupRefused, match="nothing to back up"):
        back_up_home(settings(tmp_path / "none"), tmp_path / "backup", quiet)
    assert not (tmp_path / "backup").exists()


def test_a_lake_that_lies_elsewhere_is_not_said_to_be_kept(home: Path) -> None:
    require_own_lake(settings(home), _lake(home))
    for other in (LakeSettings(uri="s3://bucket"), LakeSettings(uri=str(home / "other"))):
        with pytest.raises(BackupRefused, match="The lake is at"):
            require_own_lake(settings(home), other)


def test_a_lake_behind_a_link_is_kept(home: Path, tmp_path: Path) -> None:
    (home / "lake").rename(tmp_path / "disk")
    (home / "lake").symlink_to(tmp_path / "disk")
    (home / "lake" / "round").symlink_to(tmp_path / "disk")
    back_up_home(settings(home), tmp_path / "backup", quiet)
    restore_home(settings(tmp_path / "new"), tmp_path / "backup", quiet)
    assert (tmp_path / "new" / KEPT[0]).read_text() == KEPT[0]


def test_whoever_writes_to_the_lake_is_waited_for(home: Path, tmp_path: Path) -> None:
    said, is_writing, may_end = list[str](), threading.Event(), threading.Event()

    def refine() -> None:
        with one_writer(_lake(home)):
            is_writing.set()
            may_end.wait(timeout=30)
            (home / "lake" / "written last").write_text("by the refine")

    def say(line: str) -> None:
        said.append(line)
        may_end.set()

    writer = threading.Thread(target=refine)
    writer.start()
    is_writing.wait(timeout=30)
    back_up_home(settings(home), tmp_path / "backup", say)
    writer.join()
    assert said[0] == "waiting until nobody writes to the lake"
    assert (tmp_path / "backup" / "home" / "lake" / "written last").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("age1nonsense", "age1nonsense"),
        ("", "''"),
        ("ssh-ed25519 AAAA nobody", "ssh-ed25519"),
        ("AGE-SECRET-KEY-1QQQQQQQQQQQQQQ", "secret key"),
    ],
)
def test_a_key_that_is_none_is_said_before_anything_is_written(text: str, said: str) -> None:
    with pytest.raises(SettingsInvalid, match=said) as refused:
        recipients_of([text])
    assert "QQQ" not in str(refused.value)


def test_a_key_file_is_what_age_or_ssh_has_written(tmp_path: Path) -> None:
    identity, file = pyrage.x25519.Identity.generate(), tmp_path / "kept.key"
    file.write_text(f"# created: today\n# public key: {identity.to_public()}\n{identity}\n")
    assert [str(found) for found in identities_of(file)] == [str(identity)]
    for content in (b"", b"# nothing\n", b"age1xyz\n", b"\xff\xfe", b"-----BEGIN OPENSSH PRIVATE KEY-----\n"):
        file.write_bytes(content)
        with pytest.raises(RestoreRefused, match="no secret key"):
            identities_of(file)
    with pytest.raises(RestoreRefused, match="No such file"):
        identities_of(tmp_path / "none")


def test_nothing_of_an_encrypted_backup_can_be_read_without_the_key(home: Path, tmp_path: Path) -> None:
    identity, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    backup, new = tmp_path / "backup", tmp_path / "new"
    back_up_home(settings(home), backup, quiet, [identity.to_public()])
    assert [path.name for path in backup.iterdir()] == [ENCRYPTED]
    content = (backup / ENCRYPTED).read_bytes()
    assert not [text for text in (b"secrets.json", b"mlflow", b"bronze", b"home") if text in content]
    with pytest.raises(RestoreRefused, match="--identity"):
        restore_home(settings(new), backup, quiet)
    with pytest.raises(RestoreRefused, match="this key"):
        restore_home(settings(new), backup, quiet, [other])
    assert not new.exists()
