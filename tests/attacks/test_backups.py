"""No backup leaves out what cannot be made again, and none that was tampered with is put back."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from contracts.errors import BackupIncomplete, BackupRefused, BackupUnusable, CanopyError, RestoreRefused
from contracts.stack_settings import StackSettings
from deploy.backup import local as backups
from deploy.backup.age import ENCRYPTED
from deploy.backup.files import CONTENTS
from deploy.backup.local import back_up_home, restore_home
from lake.bronze.landings import RAW, ROWS, Provenance
from lake.objects import open_objects
from lake.settings import LakeSettings
from source.incoming import Incoming
from source.poll import finish
from source.settings import SourceSettings
from tests.lake.landed import NOON, lake_in

# Each of them the name of something that is made anew, at the top of the home folder.
NAMESAKES = ("site", "logs", "dbt", "cosmos", "run", "supervisor-x", "supervisord", "a_lock", "lock")


def settings(home: Path) -> StackSettings:
    return StackSettings(home=home, _env_file=None)


def quiet(_: str) -> None:
    """Says nothing."""


def names_of(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def keep(lake: LakeSettings, source: str) -> list[str]:
    """Puts an object of this source into each folder of bronze."""
    keys = [f"bronze/{kind}/{source}/group=01/{source}.lock" for kind in ("raw", "events")]
    for key in keys:
        open_objects(lake).put_new(key, source.encode())
    return keys


@given(st.lists(st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,20}\Z"), unique=True, max_size=4))
@examples(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_source_is_left_out_because_of_its_name(tmp_path: Path, drawn: list[str]) -> None:
    home, backup = tmp_path / "home", tmp_path / "backup"
    for folder in (home, backup):
        shutil.rmtree(folder, ignore_errors=True)
    sources = [SourceSettings(name=name, _env_file=None).name for name in {*drawn, *NAMESAKES}]
    keys = [key for source in sources for key in keep(lake_in(home), source)]
    back_up_home(settings(home), backup, quiet)
    assert set(keys) <= names_of(backup / "home" / "lake")


def test_a_copy_that_lacks_something_of_bronze_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, backup = tmp_path / "home", tmp_path / "backup"
    keep(lake_in(home), "site")
    files_of = backups._files_of
    by_name = lambda place: (file for file in files_of(place) if "site" not in file.parts)  # noqa: E731
    monkeypatch.setattr(backups, "_files_of", by_name)
    with pytest.raises(BackupIncomplete, match="bronze/events/site"):
        back_up_home(settings(home), backup, quiet)
    assert not backup.exists()


@pytest.mark.parametrize("change", ["other bytes", "gone"])
def test_a_copy_that_differs_from_bronze_is_not_kept(change: str, tmp_path: Path) -> None:
    home, backup = tmp_path / "home", tmp_path / "backup"
    key = keep(lake_in(home), "one")[0]

    def say(line: str) -> None:
        if line == "comparing with bronze":
            file = home / "lake" / key
            file.unlink() if change == "gone" else file.write_bytes(b"two")

    with pytest.raises(BackupIncomplete, match=key):
        back_up_home(settings(home), backup, say)
    assert not backup.exists()


def test_what_is_collected_meanwhile_is_there_at_least_once(tmp_path: Path) -> None:
    """Forty responses go from incoming to bronze while the backup is made, as fast as they can."""
    home, new, count = tmp_path / "home", tmp_path / "new", 40
    lake, incoming = lake_in(home), Incoming(home / "incoming")
    for number in range(count):
        provenance = Provenance("one", 1, NOON + timedelta(minutes=number), f"r{number}", "http://x", "1")
        with incoming.receive(provenance, 9) as arrival:
            arrival.write(b"no JSON %d" % (number % 10))
    (home / "lake").mkdir()
    is_over = threading.Event()

    def collect() -> None:
        finish(open_objects(lake), incoming)
        is_over.set()

    collector = threading.Thread(target=collect)
    back_up_home(settings(home), tmp_path / "backup", lambda line: _start(collector, line))
    collector.join()
    assert is_over.is_set()
    restore_home(settings(new), tmp_path / "backup", quiet)
    objects = open_objects(lake_in(new))
    raw_before, rows = objects.keys(RAW), objects.keys(ROWS)
    assert rows == []
    finish(objects, Incoming(new / "incoming"))
    assert len(raw_before) <= count
    assert objects.keys(RAW) == open_objects(lake).keys(RAW)
    assert len(objects.keys(RAW)) == count


def _start(thread: threading.Thread, line: str) -> None:
    if line.startswith("copying"):
        thread.start()


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    keep(lake_in(tmp_path / "home"), "one")
    (tmp_path / "home" / "secrets.json").write_text("{}")
    back_up_home(settings(tmp_path / "home"), tmp_path / "backup", quiet)
    return tmp_path / "backup"


def listed(backup: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes what a backup says that it holds."""
    content = json.loads((backup / CONTENTS).read_text())
    change(content["files"])
    (backup / CONTENTS).write_text(json.dumps(content))


def named(name: str, digest: object = "0" * 64) -> Callable[[Path], None]:
    """Has a backup list a file by a name, with a digest."""
    return lambda backup: listed(backup, lambda files: files.update({name: digest}))


def _linked(backup: Path, way: Callable[[Path, Path], None]) -> None:
    secret, kept = backup / "home" / "secrets.json", backup.parent / "outside"
    secret.rename(kept)
    way(secret, kept)


def _folder_link(backup: Path) -> None:
    (backup / "home").rename(backup.parent / "elsewhere")
    (backup / "home").symlink_to(backup.parent / "elsewhere")


def _index_link(backup: Path) -> None:
    (backup / CONTENTS).rename(backup.parent / "list")
    (backup / CONTENTS).symlink_to(backup.parent / "list")


def _socket(backup: Path) -> None:
    before = Path.cwd()
    os.chdir(backup)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    os.chdir(before)


def _twice(backup: Path) -> None:
    text = (backup / CONTENTS).read_text()
    digest = "0" * 64
    (backup / CONTENTS).write_text(text.replace('"files": {', f'"files": {{"home/secrets.json": "{digest}",'))


TAMPERED: dict[str, Callable[[Path], Any]] = {
    "a link to a file": lambda backup: _linked(backup, lambda a, b: a.symlink_to(b)),
    "a second name of a file": lambda backup: _linked(backup, lambda a, b: a.hardlink_to(b)),
    "a link to a folder": _folder_link,
    "a link to nothing": lambda backup: (backup / "home" / "link").symlink_to("nowhere"),
    "a list that is a link": _index_link,
    "a pipe": lambda backup: os.mkfifo(backup / "home" / "pipe"),
    "a list that is a pipe": lambda backup: ((backup / CONTENTS).unlink(), os.mkfifo(backup / CONTENTS)),
    "a socket": _socket,
    "a file that is not listed": lambda backup: (backup / "home" / "predict.key").write_text("mine"),
    "a hidden one": lambda backup: (backup / ".bashrc").write_text("mine"),
    "a file that is missing": lambda backup: (backup / "home" / "secrets.json").unlink(),
    "other bytes": lambda backup: (backup / "home" / "secrets.json").write_text("[]"),
    "one byte less": lambda backup: (backup / "home" / "secrets.json").write_text("{"),
    "a name that leads out": named("home/../../escaped"),
    "a name that leads out at once": named("../escaped"),
    "a name from the root": named("/etc/passwd"),
    "a drive": named("C:/escaped"),
    "a drive without a folder": named("c:escaped"),
    "a backslash": named("home\\..\\escaped"),
    "a zero": named("home/a\0b"),
    "a line break": named("home/a\nb"),
    "a lone surrogate": named("home/a\ud800b"),
    "no name": named(""),
    "a point": named("home/./secrets.json"),
    "two slashes": named("home//secrets.json"),
    "a slash at the end": named("home/secrets.json/"),
    "the list itself": named(CONTENTS),
    "a name in capitals": named("home/SECRETS.json"),
    "a folder in capitals": named("HOME/other.json"),
    "a file below a file": named("home/secrets.json/more"),
    "a name of 5,000 letters": named("home/" + "a" * 5_000),
    "folders ever deeper": named("home/" + "a/" * 1_500 + "b"),
    "a file that is named twice": _twice,
    "a digest that is none": named("home/secrets.json", ""),
    "a digest that is a number": named("home/secrets.json", 1),
    "a list that is no JSON": lambda backup: (backup / CONTENTS).write_text("no"),
    "a list of something else": lambda backup: (backup / CONTENTS).write_text('{"made_at": 1, "files": []}'),
    "a list of lists": lambda backup: (backup / CONTENTS).write_text("[" * 100_000),
    "a list in other letters": lambda backup: (backup / CONTENTS).write_bytes(b"\xff\xfe"),
    "no list": lambda backup: (backup / CONTENTS).unlink(),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_a_backup_that_was_tampered_with_is_refused_and_nothing_is_written(what: str, backup: Path) -> None:
    TAMPERED[what](backup)
    place = backup.parent / "place"
    place.mkdir()
    with pytest.raises(BackupUnusable):
        restore_home(settings(place / "new"), backup, quiet)
    assert list(place.iterdir()) == []
    assert not (backup.parent / "escaped").exists()


@pytest.mark.parametrize(("first", "second"), [("é", "e\u0301"), ("ß", "SS"), ("ﬀ", "FF")])
def test_two_names_that_some_file_system_takes_for_one_are_refused(
    first: str, second: str, backup: Path
) -> None:
    for name in (first, second):
        named(f"home/{name}")(backup)
    with pytest.raises(BackupUnusable, match="cannot lie beside"):
        restore_home(settings(backup.parent / "new"), backup, quiet)


def test_what_is_put_back_is_what_was_checked_though_it_changes_meanwhile(
    backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and kinds are looked at, then a file is put into another's place: its digest tells."""
    checked = backups.plain_files

    def swapped(folder: Path, contents: Any) -> int:
        size = checked(folder, contents)
        (folder / "home" / "secrets.json").unlink()
        (folder / "home" / "secrets.json").symlink_to("/etc/hostname")
        return size

    monkeypatch.setattr(backups, "plain_files", swapped)
    with pytest.raises((BackupUnusable, OSError)):
        restore_home(settings(backup.parent / "new"), backup, quiet)
    assert not (backup.parent / "new").exists()


@pytest.mark.parametrize("place", [0, 0.1, 0.5, 0.9, 0.999])
def test_an_encrypted_backup_with_one_byte_changed_or_cut_off_is_refused(
    place: float, tmp_path: Path
) -> None:
    identity, home, folder = pyrage.x25519.Identity.generate(), tmp_path / "home", tmp_path / "backup"
    open_objects(lake_in(home)).put_new("bronze/raw/one", os.urandom(300_000))
    back_up_home(settings(home), folder, quiet, [identity.to_public()])
    whole = (folder / ENCRYPTED).read_bytes()
    at = int(place * len(whole))
    for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole + b"0"):
        (folder / ENCRYPTED).write_bytes(content)
        with pytest.raises((BackupUnusable, RestoreRefused)):
            restore_home(settings(tmp_path / "place" / "new"), folder, quiet, [identity])
        assert list((tmp_path / "place").iterdir()) == []


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", **more: str) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.pax_headers = {field.replace("_", "."): value for field, value in more.items()}
    found.type, found.linkname, found.size = kind, target, 2 if kind == tarfile.REGTYPE else 0
    return found


GOOD = "home/secrets.json"
INSIDE = {
    "a link": [member("home/link", tarfile.SYMTYPE, "/etc/passwd")],
    "a second name": [member("home/link", tarfile.LNKTYPE, GOOD)],
    "a pipe": [member("home/pipe", tarfile.FIFOTYPE)],
    "a device": [member("home/device", tarfile.CHRTYPE)],
    "a folder": [member("home/folder", tarfile.DIRTYPE)],
    "a name that leads out": [member("../escaped")],
    "a name from the root": [member("/tmp/escaped")],
    "a file twice": [member(GOOD)],
    "a file that is not listed": [member("home/predict.key")],
    "a file below a file": [member(f"{GOOD}/below")],
    "a time that is no number": [member("home/other", mtime="nan")],
    "a time without an end": [member("home/other", mtime="inf")],
    "holes that are none": [member("home/other", GNU_sparse_map="x", GNU_sparse_size="5")],
    "folders ever deeper": [member("home/" + "a/" * 1_500 + "b")],
    "a size that lies": [member("home/other", size="99999999999")],
    "another name in its header": [member("home/other", path="home/../../escaped")],
}


@pytest.mark.parametrize("what", INSIDE)
def test_what_no_backup_holds_is_refused_in_an_encrypted_one_too(what: str, tmp_path: Path) -> None:
    """A recipient's key is public: whoever has it can encrypt anything."""
    identity, folder, place = pyrage.x25519.Identity.generate(), tmp_path / "backup", tmp_path / "place"
    content = io.BytesIO()
    text = json.dumps({"made_at": "now", "files": {GOOD: hashlib.sha256(b"{}").hexdigest()}}).encode()
    contents = member(CONTENTS)
    contents.size = len(text)
    with tarfile.open(mode="w", fileobj=content) as tar:
        for found in (member(GOOD), *INSIDE[what]):
            tar.addfile(found, io.BytesIO(b"{}"))
        tar.addfile(contents, io.BytesIO(text))
    folder.mkdir()
    (folder / ENCRYPTED).write_bytes(pyrage.encrypt(content.getvalue(), [identity.to_public()]))
    with pytest.raises(BackupUnusable):
        restore_home(settings(place / "new"), folder, quiet, [identity])
    assert list(place.iterdir()) == []
    assert not (tmp_path / "escaped").exists()


def test_a_plain_backup_is_not_taken_for_an_encrypted_one(backup: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    with pytest.raises(RestoreRefused, match="not encrypted"):
        restore_home(settings(backup.parent / "new"), backup, quiet, [identity])
    (backup / ENCRYPTED).symlink_to("/etc/hostname")
    with pytest.raises(CanopyError):
        restore_home(settings(backup.parent / "new"), backup, quiet, [identity])
    assert not (backup.parent / "new").exists()


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_a_disk_without_room_is_said_before_anything_is_written(
    is_encrypted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(lake_in(tmp_path / "home"), "one")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1}))
    recipients = [pyrage.x25519.Identity.generate().to_public()] if is_encrypted else []
    with pytest.raises(BackupRefused, match="1 bytes left"):
        back_up_home(settings(tmp_path / "home"), tmp_path / "backup", quiet, recipients)
    assert not (tmp_path / "backup").exists()


@pytest.mark.long
def test_memory_does_not_grow_with_the_home(tmp_path: Path) -> None:
    """200 MB go in and out with less than 60 MB more than what the program itself takes."""
    script = """
import resource, sys
from pathlib import Path
import pyrage
from deploy.backup.local import back_up_home, restore_home
from contracts.stack_settings import StackSettings
folder = Path(sys.argv[1])
key = pyrage.x25519.Identity.generate()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
back_up_home(StackSettings(home=folder / "home"), folder / "backup", print, [key.to_public()])
restore_home(StackSettings(home=folder / "new"), folder / "backup", print, [key])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    place = tmp_path / "home" / "lake" / "ducklake"
    place.mkdir(parents=True)
    for number in range(2):
        (place / str(number)).write_bytes(os.urandom(100_000_000))
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert int(done.stdout.splitlines()[-1]) < 60_000
    assert (tmp_path / "new" / "lake" / "ducklake" / "1").stat().st_size == 100_000_000
