"""The monitor as both stacks start it: a process, with its page, its book and its end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import psutil

from deploy.monitor.book import read_alerts
from tests.expectations.test_alerts import web_server
from tests.serving.registry import answers, free_port, process, wait_until

# What the process may hold; it has taken 90 MB.
MOST_MB = 160


# A monitor whose steady clock is behind by what a file says.
SHIFTED = """
import pathlib, sys
from deploy.monitor import __main__, machine
steady_s, shift = machine._steady_s, pathlib.Path(sys.argv.pop(1))
machine._steady_s = lambda: steady_s() - float(shift.read_text())
__main__.main()
"""


@contextmanager
def monitor(
    folder: Path, shift: Path | None = None, parent: str | None = None, **settings: str
) -> Iterator[tuple[str, Popen[bytes]]]:
    """A monitor of a stack in which nothing runs but what the settings name."""
    port = free_port()
    environment = {
        "CANOPY_HOME": str(folder),
        "LAKE_URI": str(folder / "lake"),
        "LAKE_CATALOG": f"sqlite:{folder}/catalog.sqlite",
        "MONITOR_FOLDER": str(folder / "monitor"),
        "MONITOR_EVERY_S": "0.2",
        "UI_SERVING_URL": "http://127.0.0.1:9",
        **settings,
    }
    program = ["-c", SHIFTED, str(shift)] if shift else ["-m", "deploy.monitor"]
    command = [sys.executable, *program, "--port", str(port)]
    if parent:
        command = [sys.executable, "-c", parent, *command]
    with process(command, folder / "monitor.log", environment) as started:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/live") or started.poll() is not None, 60)
        assert started.poll() is None, (folder / "monitor.log").read_text()
        yield url, started


def active(url: str) -> set[str]:
    found = httpx.get(f"{url}/alerts", timeout=10).json()
    return {alert["kind"] for alert in found["alerts"]}


def test_a_full_disk_is_told_by_the_process_and_not_again_by_the_next_one(tmp_path: Path) -> None:
    with web_server() as (port, taken):
        settings = {"MONITOR_DISK_FREE_BYTES": str(10**18), "ALERT_URLS": f"json://127.0.0.1:{port}/"}
        for _ in range(2):
            with monitor(tmp_path, **settings) as (url, started):
                wait_until(lambda: "DiskFilling" in active(url) and bool(taken), 60)
                page = httpx.get(f"{url}/metrics", timeout=10).text
                assert 'canopy_alerts{kind="DiskFilling"} 1.0' in page
                assert psutil.Process(started.pid).memory_info().rss < MOST_MB * 1e6
                started.send_signal(signal.SIGTERM)
                assert started.wait(30) == 0
    assert [alert["title"].partition(" (")[0] for alert in taken] == ["Canopy: A disk is nearly full"]


PARENT = """
import signal, subprocess, sys
from sandbox.confine import end_with_parent
subprocess.Popen(sys.argv[1:], preexec_fn=lambda: end_with_parent(signal.SIGTERM)).wait()
"""


def looked_at(folder: Path) -> str:
    found: str = json.loads((folder / "monitor" / "alerts.json").read_text())["looked_at"]
    return found


def test_one_whose_supervisor_was_killed_tells_it_and_ends(tmp_path: Path) -> None:
    """All parts end with supervisord: it has one look to tell it, also where the stack was still starting."""
    with web_server() as (port, taken):
        settings = {"MONITOR_EVERY_S": "3600", "ALERT_URLS": f"json://127.0.0.1:{port}/"}
        with monitor(tmp_path, parent=PARENT, **settings) as (_, started):
            (looking,) = psutil.Process(started.pid).children()
            wait_until(lambda: (tmp_path / "monitor" / "alerts.json").exists(), 60)
            assert read_alerts(tmp_path / "monitor")[1] == []
            started.kill()
            wait_until(lambda: not looking.is_running(), 60)
    assert [one.key for one in read_alerts(tmp_path / "monitor")[1]] == [("PartDown", "supervisord")]
    assert ["supervisord" in alert["title"] for alert in taken] == [True]


def test_one_that_is_stopped_ends_without_a_further_look(tmp_path: Path) -> None:
    with monitor(tmp_path, MONITOR_EVERY_S="3600") as (_, started):
        wait_until(lambda: (tmp_path / "monitor" / "alerts.json").exists(), 60)
        before = looked_at(tmp_path)
        started.terminate()
        assert started.wait(30) == 0
    assert looked_at(tmp_path) == before


def test_its_page_only_reads(tmp_path: Path) -> None:
    with monitor(tmp_path) as (url, _):
        assert httpx.get(f"{url}/nothing", timeout=10).status_code == 404
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert httpx.request(method, f"{url}/alerts", timeout=10).status_code == 405


def test_without_its_port_it_ends(tmp_path: Path) -> None:
    with monitor(tmp_path) as (url, _):
        command = [sys.executable, "-m", "deploy.monitor", "--port", url.rpartition(":")[2]]
        with process(
            command, tmp_path / "second.log", {"MONITOR_FOLDER": str(tmp_path / "second")}
        ) as second:
            assert second.wait(60) != 0
    assert "Address already in use" in (tmp_path / "second.log").read_text()


def test_no_secret_of_a_setting_is_on_its_page_or_in_its_log(tmp_path: Path) -> None:
    secrets: dict[str, Any] = {
        "ALERT_URLS": "json://user:word-of-mouth@127.0.0.1:9/",
        "MONITOR_DISK_FREE_BYTES": str(10**18),
    }
    with monitor(tmp_path, **secrets) as (url, _):
        wait_until(lambda: "MessageFailed" in active(url), 60)
        pages = [httpx.get(f"{url}{page}", timeout=10).text for page in ("/alerts", "/metrics")]
    written = [file.read_text() for file in (tmp_path / "monitor.log", tmp_path / "monitor" / "alerts.json")]
    assert not any("word-of-mouth" in text for text in (*pages, *written))
