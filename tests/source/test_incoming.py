"""A response is on disk as it arrives, and found again when its collector is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import MachineRefused
from lake.bronze.landings import Provenance
from source.incoming import Incoming

PROVENANCE = Provenance(
    "covertype", 3, datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC), "asked", "http://x/data", "canopy/0"
)
# Receives two pieces and is killed.
KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from lake.bronze.landings import Provenance
from source.incoming import Incoming
provenance = Provenance("covertype", 3, datetime.now(UTC), "killed", "http://x/data", "canopy/0")
arrival = Incoming(Path(sys.argv[1])).receive(provenance, 10)
arrival.write(b"half")
arrival.write(b" of")
os.kill(os.getpid(), signal.SIGKILL)
"""


def unreadable(path: Path, reason: str) -> None:
    raise AssertionError(f"{path}: {reason}")


def left_in(folder: Path) -> list[tuple[bytes, int | None, Provenance]]:
    found = Incoming(folder).left(unreadable)
    return [(left.arrival.body, left.missing, left.arrival.provenance) for left in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "incoming"


def test_what_has_come_is_on_disk_before_the_rest_comes(folder: Path) -> None:
    with Incoming(folder).receive(PROVENANCE, 10) as arrival:
        arrival.write(b"half")
        (file,) = folder.iterdir()
        assert file.read_bytes().endswith(b"half")
        arrival.discard()


def test_a_settled_response_leaves_nothing(folder: Path) -> None:
    with Incoming(folder).receive(PROVENANCE, 4) as arrival:
        arrival.write(b"whole")
        assert arrival.body == b"whole"
        arrival.discard()
    assert list(folder.iterdir()) == []


def test_a_killed_collector_leaves_what_had_come_and_how_much_had_not(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    ((body, missing, provenance),) = left_in(folder)
    assert (body, missing) == (b"half of", 3)
    assert (provenance.group, provenance.request_id) == (3, "killed")


def test_a_response_that_is_still_coming_in_is_not_taken_for_one_that_was_left(folder: Path) -> None:
    with Incoming(folder).receive(PROVENANCE, None) as arrival:
        arrival.write(b"coming")
        assert left_in(folder) == []
    assert left_in(folder) == [(b"coming", None, PROVENANCE)]


def test_a_folder_that_cannot_be_made_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MachineRefused, match="SOURCE_INCOMING") as refused:
        Incoming(tmp_path / "file" / "incoming").check()
    assert "LAKE_URI" not in str(refused.value)


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_what_lies_in_the_place_of_the_folder_is_put_away_with_its_reason(folder: Path, kind: str) -> None:
    folder.write_bytes(b"mine") if kind == "file" else os.mkfifo(folder)
    told: list[tuple[Path, str]] = []
    assert list(Incoming(folder).left(lambda path, reason: told.append((path, reason)))) == []
    ((kept, reason),) = told
    assert kept.parent == folder / "quarantine"
    assert kept.read_bytes() == b"mine" if kind == "file" else kept.is_fifo()
    assert reason == "it lies where the folder of incoming responses must be, and is none"
    assert sorted(path.name for path in kept.parent.iterdir()) == [kept.name, f"{kept.name}.reason.json"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    Incoming(folder).check()


@pytest.mark.parametrize("is_above", [False, True])
@pytest.mark.parametrize("leads_to", ["nothing", "a file"])
def test_a_link_that_leads_to_no_folder_is_refused_and_nothing_is_made_there(
    tmp_path: Path, is_above: bool, leads_to: str
) -> None:
    disk, link = tmp_path / "disk" / "mounted", tmp_path / "link"
    if leads_to == "a file":
        disk.parent.mkdir()
        disk.write_bytes(b"mine")
    link.symlink_to(disk)
    incoming = Incoming(link / "incoming" if is_above else link)
    for use in (
        incoming.check,
        lambda: incoming.receive(PROVENANCE, 1),
        lambda: list(incoming.left(unreadable)),
    ):
        with pytest.raises(MachineRefused, match="where no folder is") as refused:
            use()
        assert "SOURCE_INCOMING" in str(refused.value)
    assert link.is_symlink()
    assert disk.read_bytes() == b"mine" if leads_to == "a file" else not disk.parent.exists()


def test_a_link_to_a_folder_is_that_folder(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "disk").mkdir()
    folder.symlink_to(tmp_path / "disk")
    with Incoming(folder).receive(PROVENANCE, None) as arrival:
        arrival.write(b"whole")
    assert left_in(folder) == [(b"whole", None, PROVENANCE)]
    assert (tmp_path / "disk" / "asked.response").is_file()


def test_a_folder_that_nobody_used_has_nothing_left(folder: Path) -> None:
    assert left_in(folder) == []


def test_a_file_that_a_process_was_killed_over_before_any_body_came_goes_after_a_while(folder: Path) -> None:
    folder.mkdir()
    (old := folder / "old.opening").write_bytes(b"{")
    os.utime(old, (0, 0))
    (new := folder / "new.opening").write_bytes(b"{")
    assert left_in(folder) == []
    assert (old.exists(), new.exists()) == (False, True)
