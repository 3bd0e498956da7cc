"""DuckDB's extensions: from packages, with their makers' signatures."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from contracts.errors import ExtensionMissing
from lake.catalog import extensions
from lake.catalog.extensions import checked_config, extension_directory
from tests.lake.landed import lake_in
from tests.lake.published import fill_with_numbers


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


# Root writes against a file's rights; whoever is told so does not.
NOT_AS_ROOT = () if os.geteuid() else ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
LOADS = """
import sys
import duckdb
from lake.catalog.extensions import checked_config, extension_directory, load
sys.prefix = sys.argv[1]
with duckdb.connect(config=checked_config("ducklake", "sqlite_scanner")) as connection:
    load(connection, "ducklake", "sqlite_scanner")
    asked = "select count(*) from duckdb_extensions() where loaded and extension_name in (?, ?)"
    print(connection.execute(asked, ["ducklake", "sqlite_scanner"]).fetchone()[0], extension_directory())
"""
ASKS = "import sys; sys.prefix = sys.argv.pop(1); from canopy.entry import main; main()"
OURS = Path("share") / "canopy" / "duckdb-extensions"


def _empty(environment: Path) -> None:
    environment.mkdir()


def _with_others_files(environment: Path) -> None:
    (environment / "share" / "man").mkdir(parents=True)


def _half_made(environment: Path) -> None:
    _whole(environment)
    next((environment / OURS).rglob("sqlite_scanner.*")).unlink()


def _that_has_moved(environment: Path) -> None:
    _whole(environment)
    for link in (environment / OURS).rglob("*.duckdb_extension"):
        link.unlink()
        link.symlink_to(f"/nowhere/{link.name}")


def _whole(environment: Path) -> None:
    shutil.copytree(extension_directory(), environment / OURS, symlinks=True)


def of_another(environment: Path, make: Callable[[Path], None]) -> Path:
    """An environment as its owner has left it, in which nobody may write any more."""
    make(environment)
    for folder in (environment, *environment.rglob("*")):
        if folder.is_dir() and not folder.is_symlink():
            folder.chmod(0o555)
    return environment


def run(*words: str | Path, folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a folder, as somebody whom rights hold and who has set no more than this."""
    return subprocess.run(
        [*NOT_AS_ROOT, sys.executable, "-c", *words],
        env={"PATH": os.environ["PATH"], **given},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.long
@pytest.mark.parametrize("cache", ["XDG_CACHE_HOME", "HOME"])
@pytest.mark.parametrize("make", [_empty, _with_others_files, _half_made, _that_has_moved])
def test_an_environment_of_another_account_is_used_by_one_that_may_not_write_there(
    tmp_path: Path, make: Callable[[Path], None], cache: str
) -> None:
    environment = of_another(tmp_path / "environment", make)
    before = sorted(environment.rglob("*"))
    (home := tmp_path / "home of one's own").mkdir()
    for _ in range(2):  # the second finds what the first has made
        done = run(LOADS, environment, folder=tmp_path, **{"HOME": str(home), cache: str(home)})
        below = home if cache == "XDG_CACHE_HOME" else home / ".cache"
        assert done.stdout == f"2 {below / 'canopy' / 'duckdb-extensions'}\n", done.stderr
    assert sorted(environment.rglob("*")) == before


def test_an_environment_that_has_its_links_is_used_as_it_is(tmp_path: Path) -> None:
    environment = of_another(tmp_path / "environment", _whole)
    (home := tmp_path / "home").mkdir()
    done = run(LOADS, environment, folder=tmp_path, HOME=str(home))
    assert done.stdout == f"2 {environment / OURS}\n", done.stderr
    assert list(home.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize("command", [["status"], ["lake", "verify"], ["doctor"]])
def test_where_neither_the_environment_nor_a_cache_can_be_written_it_is_said(
    tmp_path: Path, command: list[str]
) -> None:
    environment = of_another(tmp_path / "environment", _empty)
    fill_with_numbers(lake_in(tmp_path / ".canopy"))
    (home := tmp_path / "home").mkdir(mode=0o555)
    done = run(ASKS, environment, *command, folder=tmp_path, HOME=str(home), COLUMNS="200")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, said
    assert "Traceback" not in said
    assert "Permission denied" in said, said
    assert str(home / ".cache") in re.sub(r"[\s│]", "", said), said  # a narrow cell folds it
