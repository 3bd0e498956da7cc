"""The hashes of a home that the attacks compare notice whatever is done to it."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.attacks.state import AT_A_TIME, comes_in, compared, fingerprint, unchanged


def listen(place: Path) -> None:
    """Leaves a socket there."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(place))  # a whole path may be longer than a socket's name


DONE: dict[str, Callable[[Path], object]] = {
    "a new file": lambda home: (home / "lake" / "new").write_text(""),
    "a byte of another": lambda home: (home / "lake" / "data").write_text("b"),
    "a file that is gone": lambda home: (home / "lake" / "data").unlink(),
    "a file by another name": lambda home: (home / "lake" / "data").rename(home / "data"),
    "a file in a link's place": lambda home: (home / "lake" / "data").replace(home / "link"),
    "a link that leads elsewhere": lambda home: (home / "link").unlink() or (home / "link").symlink_to("y"),
    "a file whose name is almost a spool's": lambda home: (home / "lake" / "spool").write_text("b"),
    "a new folder": lambda home: (home / "lake" / "new").mkdir(),
    "a folder that is gone": lambda home: (home / "empty").rmdir(),
    "a folder in a file's place": lambda home: (
        (home / "lake" / "data").unlink() or (home / "lake" / "data").mkdir()
    ),
    "a pipe": lambda home: os.mkfifo(home / "lake" / "new"),
    "a socket": lambda home: listen(home / "lake" / "new"),
    "a file that others may write": lambda home: (home / "lake" / "data").chmod(0o666),
    "a file that runs as its owner": lambda home: (home / "lake" / "data").chmod(0o4755),
    "a folder that others may write": lambda home: (home / "empty").chmod(0o777),
    "a home that others may read": lambda home: home.chmod(0o755),
    # What a service writes of itself is files and folders, whose modes stay.
    "a pipe in the spool": lambda home: os.mkfifo(home / "spool" / "new"),
    "a socket by a log's name": lambda home: listen(home / "new.log"),
    "a link in a log's place": lambda home: (home / "a.log").unlink() or (home / "a.log").symlink_to("y"),
    "a folder in a log's place": lambda home: (home / "a.log").unlink() or (home / "a.log").mkdir(),
    "a log that others may write": lambda home: (home / "a.log").chmod(0o666),
    "a spool that others may write": lambda home: (home / "spool").chmod(0o777),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    for folder in ("lake", "spool", "empty"):
        (tmp_path / folder).mkdir(mode=0o700)
    for file in ("lake/data", "a.log"):
        (tmp_path / file).write_text("a")
        (tmp_path / file).chmod(0o600)
    (tmp_path / "link").symlink_to("lake")
    return tmp_path


@pytest.mark.parametrize("what", DONE)
def test_whatever_is_done_to_a_home_is_noticed(home: Path, what: str) -> None:
    with pytest.raises(AssertionError), unchanged(home, but=comes_in):
        DONE[what](home)


def test_what_a_service_writes_of_itself_is_left_out_only_where_it_is_said(home: Path) -> None:
    def write() -> None:
        (home / "serving.log").write_text("a line")
        (home / "a.log").write_text("another line")
        (home / "spool" / "segment").write_text("a prediction")

    with unchanged(home, but=comes_in):
        write()
        (home / "lake" / "data").write_text("a")
    (home / "spool" / "segment").unlink()
    (home / "a.log").write_text("a")
    with pytest.raises(AssertionError), unchanged(home):
        write()


def test_a_home_with_nothing_in_it_shows_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="is empty"), unchanged(tmp_path):
        pass


def test_a_device_is_told_from_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who may do everything makes one: here those that are there stand for them."""
    devices = Path("/dev")
    monkeypatch.setattr("tests.attacks.state.os.walk", lambda _: [(str(devices), [], ["null", "zero"])])
    found = fingerprint(devices)
    assert {found[name][0] for name in ("null", "zero")} == {"c"}
    assert found["null"].split()[1] != found["zero"].split()[1]


def test_what_is_not_read_is_known_by_its_mode_alone(home: Path) -> None:
    before, read = (fingerprint(home, unread=unread) for unread in (comes_in, lambda _: False))
    (home / "a.log").write_text("b")
    assert fingerprint(home, unread=comes_in) == before
    assert fingerprint(home) != read
    assert before["a.log"] == stat.filemode((home / "a.log").lstat().st_mode)


@pytest.mark.parametrize("at", [0, 99, 100, 249])
def test_the_hundred_that_changed_a_home_is_named_with_its_seed(home: Path, at: int) -> None:
    first, tried = at // AT_A_TIME * AT_A_TIME, 0

    def try_all() -> None:
        nonlocal tried
        for some in compared(home, range(250), seed=7, but=comes_in):
            tried += len(some)
            (home / "a.log").write_text(f"{some}")
            if at in some:
                (home / "lake" / "new").mkdir()

    last = min(first + AT_A_TIME, 250) - 1
    with pytest.raises(AssertionError, match=f"inputs {first} to {last} of seed 7 changed .*lake/new"):
        try_all()
    assert tried == last + 1


def test_what_may_come_stays_as_it_is(home: Path) -> None:
    def write(*contents: str) -> None:
        for content, _ in zip(contents, compared(home, range(150), seed=7, new=is_new), strict=True):
            (home / "lake" / "new").write_text(content)

    def is_new(name: str) -> bool:
        return name == "lake/new"

    with pytest.raises(AssertionError, match=r"inputs 100 to 149 of seed 7 changed \['lake/new'\]"):
        write("a", "b")
