"""The hashes of a home that the attacks compare notice whatever is done to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.attacks.state import comes_in, unchanged

DONE: dict[str, Callable[[Path], object]] = {
    "a new file": lambda home: (home / "lake" / "new").write_text(""),
    "a byte of another": lambda home: (home / "lake" / "data").write_text("b"),
    "a file that is gone": lambda home: (home / "lake" / "data").unlink(),
    "a file by another name": lambda home: (home / "lake" / "data").rename(home / "data"),
    "a file in a link's place": lambda home: (home / "lake" / "data").replace(home / "link"),
    "a link that leads elsewhere": lambda home: (home / "link").unlink() or (home / "link").symlink_to("y"),
    "a file whose name is almost a spool's": lambda home: (home / "lake" / "spool").write_text("b"),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in ("lake", "spool"):
        (tmp_path / folder).mkdir()
    (tmp_path / "lake" / "data").write_text("a")
    (tmp_path / "link").symlink_to("lake")
    return tmp_path


@pytest.mark.parametrize("what", DONE)
def test_whatever_is_done_to_a_home_is_noticed(home: Path, what: str) -> None:
    with pytest.raises(AssertionError), unchanged(home, but=comes_in):
        DONE[what](home)


def test_what_a_service_writes_of_itself_is_left_out_only_where_it_is_said(home: Path) -> None:
    def write() -> None:
        (home / "serving.log").write_text("a line")
        (home / "spool" / "segment").write_text("a prediction")

    with unchanged(home, but=comes_in):
        write()
        (home / "lake" / "data").write_text("a")
    (home / "spool" / "segment").unlink()
    with pytest.raises(AssertionError), unchanged(home):
        write()


def test_a_home_with_nothing_in_it_shows_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="is empty"), unchanged(tmp_path):
        pass
