"""Files that are put in place whole: who writes at the same time, and what was left by who was killed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contracts.plain_files import replaced_when_whole


def test_two_that_write_one_file_do_not_meet(tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    with replaced_when_whole(file) as first:
        first.write(b"first")
        with replaced_when_whole(file) as second:
            second.write(b"second")
        assert file.read_bytes() == b"second"
    assert file.read_bytes() == b"first"
    assert [*tmp_path.iterdir()] == [file]


def test_what_another_process_of_this_number_has_begun_stays(tmp_path: Path) -> None:
    """In a container each start has the same numbers."""
    left = tmp_path / f".answers.csv.{os.getpid()}.part"
    left.write_bytes(b"another's")
    with replaced_when_whole(tmp_path / "answers.csv") as sink:
        sink.write(b"whole")
    assert (tmp_path / "answers.csv").read_bytes() == b"whole"
    assert left.read_bytes() == b"another's"


def test_what_does_not_come_to_its_end_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    file.write_bytes(b"before")
    with pytest.raises(TypeError), replaced_when_whole(file) as sink:
        sink.writelines([b"half", None])  # type: ignore[list-item]
    assert file.read_bytes() == b"before"
    assert [*tmp_path.iterdir()] == [file]
