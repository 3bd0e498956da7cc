"""DuckDB's extensions: from packages, with their makers' signatures."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from contracts.errors import ExtensionMissing
from lake import extensions
from lake.extensions import checked_config, extension_directory


@pytest.fixture
def unchecked() -> Iterator[None]:
    """As in a process that has not loaded an extension yet."""
    extensions._check_signature.cache_clear()
    yield
    extensions._check_signature.cache_clear()


def copied(folder: Path, name: str) -> Path:
    """A folder in DuckDB's layout with one extension in it."""
    (linked,) = extension_directory().rglob(f"{name}.duckdb_extension")
    copy = folder / linked.relative_to(extension_directory())
    copy.parent.mkdir(parents=True)
    shutil.copyfile(linked, copy)
    return copy


def use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions, "extension_directory", lambda: folder)


@pytest.mark.usefixtures("unchecked")
def test_a_binary_that_is_not_what_was_signed_is_never_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copied(tmp_path, "sqlite_scanner")
    use(tmp_path, monkeypatch)
    checked_config("sqlite_scanner")

    extensions._check_signature.cache_clear()
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.unlink()  # this process runs what it has loaded from it
    copy.write_bytes(content)
    with pytest.raises(ExtensionMissing, match="duckdb-extension-sqlite-scanner"):
        checked_config("sqlite_scanner")


@pytest.mark.usefixtures("unchecked")
def test_one_that_is_not_there_is_not_fetched_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(tmp_path, monkeypatch)
    with pytest.raises(ExtensionMissing, match="duckdb-extension-ducklake"):
        checked_config("ducklake")


def test_what_was_checked_loads_at_once() -> None:
    with duckdb.connect(config=checked_config("ducklake")) as connection:
        connection.execute("load ducklake")
        (loaded,) = connection.execute(
            "select loaded from duckdb_extensions() where extension_name = 'ducklake'"
        ).fetchone() or (False,)
    assert loaded


def test_whoever_may_run_the_environment_finds_its_extensions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extensions.sys, "prefix", str(tmp_path))
    extension_directory.cache_clear()
    before = os.umask(0o077)
    try:
        folders = [path for path in extension_directory().rglob("*") if path.is_dir()]
    finally:
        os.umask(before)
        extension_directory.cache_clear()
    assert {stat.S_IMODE(path.stat().st_mode) for path in (extension_directory(), *folders)} == {0o755}


def test_an_environment_that_cannot_be_written_is_used_with_links_in_the_persons_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "environment").write_text("no folder: nothing can be made below it, not even by root")
    monkeypatch.setattr(extensions.sys, "prefix", str(tmp_path / "environment"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    extension_directory.cache_clear()
    try:
        assert extension_directory() == tmp_path / "cache" / "canopy" / "duckdb-extensions"
        (link,) = extension_directory().rglob("ducklake.duckdb_extension")
        link.unlink()
        link.symlink_to("/nowhere")
        extension_directory.cache_clear()
        extension_directory()
        assert link.is_file()
    finally:
        monkeypatch.undo()
        extension_directory.cache_clear()
