"""A collector is killed (`kill -9`) at each of its writes and at random moments: nothing received is lost.

`--kills` says how often in all; `make test-kills` does it 240 times.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

import pytest

from lake.settings import LakeSettings
from tests.lake.landed import lake_in
from tests.lake.stores import lake_in_s3, s3_service
from tests.source.crashes import Place, check, kill_after, kill_at_change, recover, simulating

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("kills"))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Says a line that is seen also when all is well."""

    def line(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return line


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with simulating(tmp_path, lake_in(tmp_path)) as place:
        yield place


@pytest.fixture
def place_in_s3(tmp_path: Path) -> Iterator[Place]:
    with s3_service() as url, simulating(tmp_path, lake_in_s3(url, tmp_path)) as place:
        yield place


def test_killed_at_each_of_its_writes(place: Place, kills: int, say: Callable[[str], None]) -> None:
    _changes(place)  # the first run also makes the folders
    changes = min(_changes(place) for _ in range(2))
    wanted = kills // 2
    numbers = [1 + step * changes // wanted for step in range(wanted)]
    # A run that meets no fault may be over before its change comes: it is tried again.
    tries = islice(cycle(numbers if wanted < changes else range(1, changes + 1)), 3 * wanted)
    done = _until(wanted, (kill_at_change(place, number) for number in tries))
    recover(place)
    say(f"{check(place, done)}; a run makes {changes} changes")
    assert done == wanted


def test_killed_at_random_moments(place: Place, kills: int, say: Callable[[str], None]) -> None:
    wanted = kills // 3
    done = _kill_at_random(place, wanted, random.Random(7))
    recover(place)
    say(check(place, done))
    assert done == wanted


def test_killed_at_random_moments_with_its_objects_in_s3(
    place_in_s3: Place, kills: int, say: Callable[[str], None]
) -> None:
    wanted = kills - kills // 2 - kills // 3
    done = _kill_at_random(place_in_s3, wanted, random.Random(8))
    recover(place_in_s3)
    say(check(place_in_s3, done))
    assert done == wanted


@pytest.mark.parametrize("store", ["folder", "s3"])
def test_two_collectors_of_one_group_land_what_one_would(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if store == "folder":
        _two_at_once(tmp_path, lake_in(tmp_path))
        return
    with s3_service() as url:
        _two_at_once(tmp_path, lake_in_s3(url, tmp_path))


def _two_at_once(home: Path, lake: LakeSettings) -> None:
    """Both ask until there are twelve responses; each is landed once, by whomever."""
    with simulating(home, lake) as place:
        both = [place.start(requests=12, name="shared") for _ in range(2)]
        for process in both:
            with process:
                process.communicate(timeout=120)
        recover(place)
        served = place.served()
        check(place, kills=0)
    assert served.total() >= 6  # the budget of twelve also counts those that were cut
    assert all(count == 1 for count in served.values())


def _kill_at_random(place: Place, wanted: int, draw: random.Random) -> int:
    """Kills at any moment of a run, as long as runs take here and now; how many were at work."""
    with place.start() as process:
        began = time.monotonic()
        process.communicate(timeout=60)
    longest_s = time.monotonic() - began
    return _until(wanted, (kill_after(place, draw.uniform(0, longest_s)) for _ in range(3 * wanted)))


def _until(wanted: int, kills: Iterator[bool]) -> int:
    """Goes on until so many collectors were killed at work, or there is nothing left to try."""
    done = 0
    for was_at_work in kills:
        done += was_at_work
        if done == wanted:
            break
    return done


def _changes(place: Place) -> int:
    """How many changes a run makes that nobody kills."""
    with place.start() as process:
        said, _ = process.communicate(timeout=60)
    return int(said)
