"""A response is on disk as it arrives, and found again when its collector is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import StoreUnavailable
from lake.landings import Provenance
from source.incoming import Incoming

PROVENANCE = Provenance(
    "covertype", 3, datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC), "asked", "http://x/data", "canopy/0"
)
# Receives two pieces and is killed.
KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from lake.landings import Provenance
from source.incoming import Incoming
provenance = Provenance("covertype", 3, datetime.now(UTC), "killed", "http://x/data", "canopy/0")
arrival = Incoming(Path(sys.argv[1])).receive(provenance, 10)
arrival.write(b"half")
arrival.write(b" of")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "incoming"


def test_what_has_come_is_on_disk_before_the_rest_comes(folder: Path) -> None:
    with Incoming(folder).receive(PROVENANCE, 10) as arrival:
        arrival.write(b"half")
        (file,) = folder.iterdir()
        assert file.read_bytes().endswith(b"half")
        arrival.settle()


def test_a_settled_response_leaves_nothing(folder: Path) -> None:
    with Incoming(folder).receive(PROVENANCE, 4) as arrival:
        arrival.write(b"whole")
        arrival.settle()
    assert list(folder.iterdir()) == []
    assert arrival.body == b"whole"


def test_a_killed_collector_leaves_what_had_come_and_how_much_had_not(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    (left,) = Incoming(folder).left()
    assert left.arrival.body == b"half of"
    assert left.missing == 3
    assert (left.arrival.provenance.group, left.arrival.provenance.request_id) == (3, "killed")


def test_a_response_that_is_still_coming_in_is_not_taken_for_one_that_was_left(folder: Path) -> None:
    with Incoming(folder).receive(PROVENANCE, None) as arrival:
        arrival.write(b"coming")
        assert list(Incoming(folder).left()) == []
    (left,) = Incoming(folder).left()
    assert left.arrival.body == b"coming"
    assert left.arrival.provenance == PROVENANCE
    assert left.missing is None


def test_a_folder_that_cannot_be_made_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="SOURCE_INCOMING"):
        Incoming(tmp_path / "file" / "incoming").check()


def test_a_folder_that_nobody_used_has_nothing_left(folder: Path) -> None:
    assert list(Incoming(folder).left()) == []


def test_a_file_that_a_process_was_killed_over_before_any_body_came_goes_after_a_while(folder: Path) -> None:
    folder.mkdir()
    (old := folder / "old.opening").write_bytes(b"{")
    os.utime(old, (0, 0))
    (new := folder / "new.opening").write_bytes(b"{")
    assert list(Incoming(folder).left()) == []
    assert (old.exists(), new.exists()) == (False, True)
