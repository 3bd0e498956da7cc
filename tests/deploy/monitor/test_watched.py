"""That nobody looks any more is told by who collects: once, and once that it is over."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipeline import watched
from pipeline.watched import BLIND_FOR_S, watch_monitor
from tests.deploy.monitor.looking import Pages, pages
from tests.expectations.test_alerts import web_server

# Some of Apprise's 180 channels use what Python will drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    """The monitor's pages; without any it is away."""
    found: Pages = {}
    with pages(found) as url:
        monkeypatch.setenv("CANOPY_MONITOR_PORT", str(urlsplit(url).port))
        yield found


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What a webhook is told."""
    with web_server() as (port, taken):
        monkeypatch.setenv("ALERT_URLS", f"json://127.0.0.1:{port}/")
        monkeypatch.setenv("CANOPY_HOME", str(tmp_path))
        yield taken


def looked(ago: timedelta) -> tuple[int, bytes]:
    return 200, json.dumps({"looked_at": (datetime.now(UTC) - ago).isoformat(), "alerts": []}).encode()


def later(folder: Path, seconds: float) -> None:
    """Lets so much time go by since it was noticed."""
    before = time.time() - seconds
    os.utime(folder / "monitor" / "blind", (before, before))


BLIND = {
    "away": (404, b"{}"),
    "hangs": looked(timedelta(minutes=6)),
    "never looked": (200, b'{"looked_at": null}'),
    "another program": (200, b"hello"),
    "a time that is none": (200, b'{"looked_at": "soon"}'),
}


@pytest.mark.parametrize("blind", BLIND)
def test_a_monitor_that_does_not_look_is_told_once_and_once_that_it_is_over(
    blind: str, found: Pages, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    found["/alerts"] = looked(timedelta(seconds=20))
    watch_monitor()
    found["/alerts"] = BLIND[blind]
    watch_monitor()
    watch_monitor()
    assert told == []  # it may be coming up
    later(tmp_path, BLIND_FOR_S + 1)
    for _ in range(3):
        watch_monitor()
    assert [one["title"] for one in told] == ["Canopy: the monitor does not look any more"]
    assert told[0]["type"] == "failure"
    found["/alerts"] = looked(timedelta(seconds=20))
    for _ in range(2):
        watch_monitor()
    assert [one["title"] for one in told[1:]] == ["Canopy: over: the monitor looks again"]


def test_a_monitor_that_comes_back_in_time_is_no_news(
    found: Pages, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    watch_monitor()
    later(tmp_path, BLIND_FOR_S - 5)
    watch_monitor()
    found["/alerts"] = looked(timedelta(seconds=20))
    watch_monitor()
    assert told == []
    assert not (tmp_path / "monitor" / "blind").exists()


def test_whatever_it_meets_collecting_goes_on(
    found: Pages, told: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "monitor").write_text("a file where a folder belongs")
    watch_monitor()
    monkeypatch.setattr(watched, "_problem", lambda _: 1 / 0)
    watch_monitor()
    monkeypatch.setenv("ALERT_URLS", "")
    watch_monitor()
    assert told == []
    assert found == {}
