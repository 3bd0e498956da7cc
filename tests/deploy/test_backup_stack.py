"""A backup of the stack in containers holds what its buckets list and what waits in volumes, or is not kept.

The engine's part is taken by this machine's shell, the store's by a stand-in that speaks S3.
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyrage
import pytest

from contracts.errors import BackupIncomplete, BackupUnusable
from contracts.stack_settings import StackSettings
from deploy.backup import buckets as backup_buckets
from deploy.backup import containers as backup_stack
from deploy.backup.containers import back_up, restore
from deploy.backup.files import read_contents
from tests.lake.stores import s3_service

PLAIN = {
    "bronze/raw/one": b"one",
    "bronze/predictions/date=2026-01-01/x.parquet": b"rows",
    "a": b"1",
    "b/X": b"2",
}
# What an account that may write into bronze/predictions can put there.
ODD = {
    "a/b": b"below what is an object itself",
    "bronze/predictions/../../../../escaped": b"out",
    "bronze/predictions/two\ttabs": b"tabs",
    "bronze/predictions/": b"",
    "bronze/predictions//x": b"slashes",
    "b/x": b"in other letters",
    "bronze/predictions/" + "x" * 300: b"long",
    "/bronze": b"root",
}


class Shell:
    """Compose's commands, of which those that copy volumes run on this machine."""

    volumes: Path

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings

    def prepare(self) -> None:
        """Makes nothing."""

    def services(self) -> list[Any]:
        """Nothing runs."""
        return []

    def run(self, *_arguments: str, profiles: Sequence[str] | None = None) -> str:
        """Does nothing."""
        return ""

    def save(self, file: Path, *arguments: str) -> None:
        """Keeps what a command prints."""
        with file.open("wb") as stream:
            self._run(arguments, stdout=stream)

    def load(self, file: Path, *arguments: str) -> None:
        """Runs a command on a file."""
        with file.open("rb") as stream:
            self._run(arguments, stdin=stream)

    def _run(self, arguments: Sequence[str], **streams: Any) -> None:
        if arguments[0] == "run":
            script = arguments[-1].replace("/var/lib/canopy", str(self.volumes))
            subprocess.run(["sh", "-c", script], check=True, **streams)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The store of a stack, with its buckets."""
    Shell.volumes = tmp_path / "volumes"
    for folder in ("incoming", "models"):
        (Shell.volumes / folder).mkdir(parents=True)
    monkeypatch.setattr(backup_stack, "Compose", Shell)
    with s3_service() as url:
        monkeypatch.setenv("CANOPY_S3_PORT", str(urlsplit(url).port))
        store = backup_stack._store(stack(tmp_path / "home"))
        store.create_bucket(Bucket="mlflow")
        for key in backup_buckets.list_bucket(store, "lake"):  # the stand-in's memory is the process's
            store.delete_object(Bucket="lake", Key=key)
        yield store


def stack(home: Path) -> StackSettings:
    (home / "secrets").mkdir(parents=True, exist_ok=True)
    (home / "secrets" / "s3_password").write_text("secret")
    return StackSettings(home=home, _env_file=None)


def fill(store: Any, objects: dict[str, bytes]) -> None:
    for key, content in objects.items():
        store.put_object(Bucket="lake", Key=key, Body=content)


def held(store: Any) -> dict[str, bytes]:
    keys = backup_buckets.list_bucket(store, "lake")
    return {key: store.get_object(Bucket="lake", Key=key)["Body"].read() for key in keys}


def quiet(_: str) -> None:
    """Says nothing."""


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_objects_with_odd_keys_are_set_aside_told_and_put_back(
    is_encrypted: bool, store: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = pyrage.x25519.Identity.generate()
    recipients, identities = ([key.to_public()], [key]) if is_encrypted else ([], [])
    fill(store, PLAIN | ODD)
    with caplog.at_level(logging.WARNING):
        made = back_up(stack(tmp_path / "home"), tmp_path / "backup", quiet, recipients)
    assert [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING] == [
        f"objects_set_aside bucket=lake count={len(ODD)} keys=objects-aside/lake/keys.json"
    ]
    assert {f"objects/lake/{name}" for name in PLAIN} <= set(made.files)
    assert len([name for name in made.files if name.startswith("objects-aside/lake/")]) == len(ODD) + 1
    assert not list(tmp_path.rglob("escaped"))
    for name in PLAIN | ODD:
        store.delete_object(Bucket="lake", Key=name)
    shutil.move(tmp_path / "home" / "secrets", tmp_path / "lost")
    new = StackSettings(home=tmp_path / "home", _env_file=None)
    restore(new, tmp_path / "backup", quiet, identities)
    assert held(store) == PLAIN | ODD


def test_what_waits_in_the_volumes_comes_back(store: Any, tmp_path: Path) -> None:
    waiting = {
        "incoming/one.response": b"what the source said",
        "incoming/quarantine/two\nlines": b"odd",
        "models/keys.json": b"{}",
        "models/spool/one.arrows": b"predictions",
    }
    made_again = {"models/canopy-covertype/1/model.onnx": b"a model"}
    for name, content in (waiting | made_again).items():
        (Shell.volumes / name).parent.mkdir(parents=True, exist_ok=True)
        (Shell.volumes / name).write_bytes(content)
    back_up(stack(tmp_path / "home"), tmp_path / "backup", quiet)
    for folder in ("incoming", "models"):
        shutil.rmtree(Shell.volumes / folder)
        (Shell.volumes / folder).mkdir()
    shutil.move(tmp_path / "home" / "secrets", tmp_path / "lost")
    restore(StackSettings(home=tmp_path / "home", _env_file=None), tmp_path / "backup", quiet)
    found = (file for file in Shell.volumes.rglob("*") if file.is_file())
    assert {str(file.relative_to(Shell.volumes)): file.read_bytes() for file in found} == waiting


def _cut(store: Any, fetch: Callable[..., None]) -> Callable[..., None]:
    def fetched(bucket: str, key: str, stream: Any) -> None:
        fetch(bucket, key, stream)
        if key == "bronze/raw/one":
            stream.truncate(2)

    return fetched


def _changed(store: Any, fetch: Callable[..., None]) -> Callable[..., None]:
    def fetched(bucket: str, key: str, stream: Any) -> None:
        fetch(bucket, key, stream)
        if key == "bronze/raw/one":
            store.put_object(Bucket=bucket, Key=key, Body=b"two")

    return fetched


def _gone(store: Any, fetch: Callable[..., None]) -> Callable[..., None]:
    def fetched(bucket: str, key: str, stream: Any) -> None:
        fetch(bucket, key, stream)
        store.delete_object(Bucket=bucket, Key="bronze/raw/one")

    return fetched


def _failed(store: Any, fetch: Callable[..., None]) -> Callable[..., None]:
    def fetched(bucket: str, key: str, stream: Any) -> None:
        fetch(bucket, "not there" if key == "bronze/raw/one" else key, stream)

    return fetched


@pytest.mark.parametrize("change", [_cut, _changed, _gone, _failed])
def test_a_copy_that_is_not_what_the_bucket_lists_is_not_kept(
    change: Callable[..., Any], store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, PLAIN)
    monkeypatch.setattr(store, "download_fileobj", change(store, store.download_fileobj))
    monkeypatch.setattr(backup_stack, "_store", lambda _: store)
    with pytest.raises(BackupIncomplete, match="lake/bronze/raw/one"):
        back_up(stack(tmp_path / "home"), tmp_path / "backup", quiet)
    assert not (tmp_path / "backup").exists()


def test_predictions_that_come_in_meanwhile_are_no_fault(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, PLAIN)
    fetch = store.download_fileobj

    def fetched(bucket: str, key: str, stream: Any) -> None:
        fetch(bucket, key, stream)
        store.put_object(Bucket=bucket, Key="bronze/predictions/new", Body=b"new")

    monkeypatch.setattr(store, "download_fileobj", fetched)
    monkeypatch.setattr(backup_stack, "_store", lambda _: store)
    back_up(stack(tmp_path / "home"), tmp_path / "backup", quiet)
    assert "objects/lake/bronze/raw/one" in read_contents(tmp_path / "backup").files


@pytest.mark.parametrize("text", ["[]", "{}", "no", '{"x": 1}', '{"x": "other"}'])
def test_a_list_of_odd_keys_that_is_none_is_refused(text: str, store: Any, tmp_path: Path) -> None:
    aside = tmp_path / "objects-aside" / "lake"
    aside.mkdir(parents=True)
    (aside / "one").write_bytes(b"one")
    (aside / "keys.json").write_text(text)
    with pytest.raises(BackupUnusable, match=r"keys\.json"):
        backup_buckets.fill_bucket(store, "lake", tmp_path)


def test_a_store_that_takes_no_odd_key_keeps_no_backup_from_being_put_back(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, PLAIN | ODD)
    back_up(stack(tmp_path / "home"), tmp_path / "backup", quiet)
    names = json.loads((tmp_path / "backup" / "objects-aside" / "lake" / "keys.json").read_text())
    assert set(names.values()) == set(ODD)

    def refused(*_: Any) -> None:
        raise backup_buckets.ClientError({"Error": {"Code": "XMinioParentIsObject"}}, "PutObject")

    monkeypatch.setattr(store, "upload_fileobj", refused)
    left = backup_buckets.fill_bucket(store, "lake", tmp_path / "backup")
    assert len(left) == len(ODD)
    assert all(name.isprintable() for name in left)
