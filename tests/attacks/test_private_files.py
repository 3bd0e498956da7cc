"""A secret is written into a file of this account's own, whatever somebody has put in its way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.private_file import write_private


def wide(place: Path, _: Path) -> None:
    place.touch()
    place.chmod(0o666)


IN_ITS_WAY: dict[str, Callable[[Path, Path], None]] = {
    "a file that everybody reads": wide,
    "a link to a file": lambda place, other: place.symlink_to(other),
    "a link to nothing": lambda place, other: place.symlink_to(other.with_name("nothing")),
    "another name of a file": lambda place, other: place.hardlink_to(other),
    "a pipe": lambda place, _: os.mkfifo(place),
}


@pytest.mark.parametrize("what", IN_ITS_WAY)
def test_what_lies_where_it_is_written_first_gets_nothing_of_it(what: str, tmp_path: Path) -> None:
    """In a folder that others write to, its first name can be guessed: it ends in a process's number."""
    other, file = tmp_path / "other", tmp_path / "keys.json"
    other.write_text("mine")
    other.chmod(0o644)
    IN_ITS_WAY[what](tmp_path / f".{file.name}.{os.getpid()}", other)
    write_private(file, "secret")
    assert (file.read_text(), file.stat().st_mode & 0o777, file.is_symlink()) == ("secret", 0o600, False)
    assert file.stat().st_nlink == 1
    assert other.read_text() == "mine"
    assert {one.name for one in tmp_path.iterdir()} == {"keys.json", "other"}
