"""Pages take no place that is somebody's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import CanopyError, FolderTaken
from contracts.stack_settings import PROJECT
from deploy.site import build
from deploy.site.build import MARK, build_pages
from lake.settings import LakeSettings
from pipeline.dbt import TITLE, build_docs
from tests.attacks.state import fingerprint


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a person's work in it."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    monkeypatch.chdir(folder)
    return folder


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has mkdocs leave a page at once: what is asked here is where it may."""

    def made_at_once(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "index.html").write_text("new")

    monkeypatch.setattr(build, "_run_mkdocs", made_at_once)


@pytest.mark.parametrize(
    "named",
    [lambda theirs: theirs, lambda theirs: theirs.parent, lambda _: Path.home(), lambda _: PROJECT / "docs"],
    ids=["the working folder", "what is above it", "the home folder", "the texts"],
)
def test_a_folder_with_other_things_in_it_stays(
    theirs: Path, monkeypatch: pytest.MonkeyPatch, named: Callable[[Path], Path]
) -> None:
    monkeypatch.setenv("HOME", str(theirs))
    quick(monkeypatch)
    before = fingerprint(theirs.parent)
    with pytest.raises(FolderTaken, match="not built here"):
        build_pages(named(theirs))
    assert fingerprint(theirs.parent) == before


def test_a_file_stays(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    with pytest.raises(FolderTaken, match="is no folder"):
        build_pages(theirs / "thesis.txt")
    assert (theirs / "thesis.txt").read_text() == "mine"


def test_a_new_an_empty_and_an_older_folder_of_pages_are_taken(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    (theirs / "empty").mkdir()
    for folder in (theirs / "new", theirs / "empty"):
        for _ in range(2):
            assert build_pages(folder).read_text() == "new"
            assert (folder / MARK).exists()
    assert {file.name for file in theirs.iterdir()} == {"thesis.txt", "new", "empty"}


def test_another_page_of_the_name_stays(theirs: Path, tmp_path: Path) -> None:
    (theirs / "index.html").write_text("<title>My work</title>")
    before = fingerprint(theirs)
    lake = LakeSettings(uri=str(tmp_path / "lake"), catalog=f"sqlite:{tmp_path}/catalog.sqlite")
    with pytest.raises(FolderTaken, match=r"has another index\.html"):
        build_docs(lake, theirs, state=tmp_path / "dbt")
    assert fingerprint(theirs) == before
    assert issubclass(FolderTaken, CanopyError)
    assert TITLE not in (theirs / "index.html").read_text()
