"""DuckDB's extensions: from packages, with their makers' signatures."""

from __future__ import annotations

import shutil
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
