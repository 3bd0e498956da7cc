"""Two workers on one state file count for themselves, as in the real service; nothing is lost by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from lake.bronze.landings import RAW, ROWS
from lake.objects import open_objects
from lake.settings import LakeSettings
from source.collect import collect
from source.outcomes import EndOfData, Landed
from tests.source.conftest import impatient
from tests.source.test_simulator_process import _free_port


class Workers:
    """A simulator with two workers, in processes of its own."""

    def __init__(self, home: Path) -> None:
        self.url = f"http://127.0.0.1:{_free_port()}"
        self.home = home
        environment = {
            "SIMULATOR_PORT": self.url.rpartition(":")[2],
            "SIMULATOR_WORKERS": "2",
            "SIMULATOR_WINDOW_S": "0",
            "SIMULATOR_SYNTHETIC_ROWS": "4000",
            "SIMULATOR_STATE": str(home / "state.json"),
            "SIMULATOR_JOURNAL": str(home / "journal.jsonl"),
        }
        command = [sys.executable, "-m", "source.simulator"]
        with (home / "log.txt").open("w") as log:
            self._process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)

    def wait(self) -> None:
        """Until both are ready; who asks the address hears of one of them only."""
        while self.log().count("Application startup complete") < 2:
            assert self._process.poll() is None, self.log()
            time.sleep(0.05)

    def end(self) -> int:
        self._process.terminate()
        return self._process.wait(timeout=20)

    def log(self) -> str:
        return (self.home / "log.txt").read_text()

    def journal(self, group: int) -> list[dict[str, Any]]:
        lines = map(json.loads, (self.home / "journal.jsonl").read_text().splitlines())
        return [line for line in lines if line["group"] == group]

    def ask_at_once(self, count: int) -> list[int]:
        """Statuses of as many requests, eight of them at a time, each with a connection of its own."""
        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(lambda _: self._ask(), range(count)))

    def _ask(self) -> int:
        return httpx.get(f"{self.url}/data?group_number=1", trust_env=False, timeout=30).status_code


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """Each test takes a group of its own."""
    started = Workers(tmp_path_factory.mktemp("workers"))
    try:
        started.wait()
        yield started
    finally:
        status = started.end()
    assert status == 0, started.log()


def test_two_workers_serve_each_batch_twice_and_the_last_writer_s_state_stays(workers: Workers) -> None:
    statuses = Counter(workers.ask_at_once(60))
    while len(workers.journal(1)) < 20 and statuses.total() < 600:  # which of them answers is chance
        statuses.update(workers.ask_at_once(20))
    assert statuses == {200: 20, 400: statuses.total() - 20}
    lines = workers.journal(1)
    served = Counter((line["process"], line["batch"]) for line in lines)
    processes = {process for process, _ in served}
    assert len(processes) == 2
    assert served == {(process, batch): 1 for process in processes for batch in range(1, 11)}
    assert len({line["sha256"] for line in lines}) == 20
    # Twenty batches were served, and the file knows of the last writer's.
    assert json.loads((workers.home / "state.json").read_text())["1"][1] == 10


def test_a_collector_loses_nothing_by_two_workers(workers: Workers, lake: LakeSettings) -> None:
    settings = impatient(workers.url, groups="2")
    with ThreadPoolExecutor(4) as collectors:  # asked by one at a time, one worker may do all the work
        polls = list(collectors.map(lambda _: collect([settings], lake), range(40)))
    outcomes = [outcome for poll in polls for outcome in poll.outcomes]
    assert {type(outcome) for outcome in outcomes} == {Landed, EndOfData}
    objects = open_objects(lake)
    sent = sorted(line["sha256"] for line in workers.journal(2))
    assert len({line["process"] for line in workers.journal(2)}) == 2
    for prefix in (RAW, ROWS):
        assert sorted(key.rpartition("-")[2].partition(".")[0] for key in objects.keys(prefix)) == sent
